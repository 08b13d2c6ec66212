-- What became of every child that was ever on a spine, as far as the reference date shows it: a child that left school or
-- moved away is followed by its 宛名番号, which needs no later spine. Reads the temp table led_somewhere (labels.sql).
create or replace temp table new_follow_ups as
with ever as (
    select child_key, any_value(resident_id) as resident_id
    from linkage.children
    anti join rights.stops_in_force using (child_key)
    where reference_date <= $reference_date
    group by child_key
),

-- the links of the reference date know the children of its spine only
off_the_spine as (
    select child_key, resident_id
    from ever
    anti join (select child_key from linkage.children where reference_date = $reference_date) using (child_key)
),

linked as (
    select child_key, person_ref as consultation_id
    from linkage.links
    where reference_date = $reference_date and table_name = 'child_consultations'
),

unlinked as (
    select consultation_id, child_resident_id
    from delivered_child_consultations
    anti join linked using (consultation_id)
),

-- A record with a 宛名番号 is the child's who has it; one without is whose it was when the child was last on a spine.
linked_otherwise as (
    select o.child_key, u.consultation_id
    from unlinked as u
    join off_the_spine as o on o.resident_id = u.child_resident_id
    union all
    select arg_max(l.child_key, l.reference_date) as child_key, u.consultation_id
    from unlinked as u
    join linkage.links as l on l.person_ref = u.consultation_id
    semi join off_the_spine as o on o.child_key = l.child_key
    where
        u.child_resident_id is null
        and l.table_name = 'child_consultations'
        and l.reference_date < $reference_date
    group by u.consultation_id
),

received as (
    select
        l.child_key,
        min(r.received_on) as first_received_on,
        min(r.received_on) filter (not coalesce($not_counted and r.received_on > d.led_on, false)) as first_counted_on,
        count(*) filter ($not_counted and r.received_on > d.led_on) as records_set_aside
    from (
        from linked
        union all by name
        from linked_otherwise
    ) as l
    join delivered_child_consultations as r using (consultation_id)
    left join led_somewhere as d using (child_key)
    where r.received_on <= $reference_date
    group by l.child_key
),

-- Until when a child is known to have lived here: who is no resident any more left on its 消除日; where no delivery
-- says when, all that is known is the last reference date at which it was one.
lived_here as (
    select
        e.child_key,
        case
            when max(r.reference_date) = $reference_date then max(r.reference_date)
            else greatest(max(r.reference_date), any_value(g.removed_on))
        end as seen_until
    from ever as e
    join linkage.residents as r on r.resident_id = e.resident_id and r.reference_date <= $reference_date
    left join delivered_resident_register as g
        on g.resident_id = e.resident_id and g.removed_on <= $reference_date
    group by e.child_key
)

select
    $reference_date::date as reference_date,
    e.child_key,
    r.first_received_on,
    r.first_counted_on,
    coalesce(r.records_set_aside, 0)::integer as records_set_aside,
    d.led_on,
    s.seen_until
from ever as e
left join received as r using (child_key)
left join led_somewhere as d using (child_key)
left join lived_here as s using (child_key);
