#!/bin/bash
# offline.sh WORK: a machine of its own in namespaces that are just made, up to its init; see offline.py.
# /opt and /srv are empty folders of WORK, what is changed below /etc and /var goes to WORK/kept, all else is read-only.
set -eu
work=$1
mount --bind "$work/opt" /opt
mount --bind "$work/srv" /srv
mount --bind "$work" /mnt
for name in etc var; do
    mkdir -p "$work/kept/$name" "$work/kept/$name.work"
    mount -t overlay -o "lowerdir=/$name,upperdir=$work/kept/$name,workdir=$work/kept/$name.work" overlay "/$name"
done
# nothing of this system's own services: what tidies /tmp, sets the kernel or waits for devices above all
if [ ! -e "$work/kept/own" ]; then
    rm -rf /etc/systemd/system/*.wants
    for unit in tmpfiles-setup tmpfiles-setup-dev tmpfiles-clean udevd udev-trigger sysctl logind remount-fs networkd resolved; do
        ln -sf /dev/null "/etc/systemd/system/systemd-$unit.service"
    done
    ln -sf /dev/null /etc/systemd/system/getty.target
    touch "$work/kept/own"
fi
devices=$(mktemp -d "$work/kept/dev.XXXX")
chmod 755 "$devices"
mkdir "$devices/shm" "$devices/pts"
for name in null zero full random urandom tty; do
    touch "$devices/$name"
    mount --bind "/dev/$name" "$devices/$name"
done
mount --rbind "$devices" /dev
mount -t tmpfs tmpfs /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,bind,ro /
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=multi-user.target --log-target=console --show-status=no
