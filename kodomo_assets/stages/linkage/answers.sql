-- What people answered in 名寄せ確認 up to the reference date. The newest answer on a pair counts. Of two children that
-- one person was said to be, or of two numbers of one delivery that one child was said to have, the newer 同一 counts;
-- two that are equally new answer nothing, and are asked again. A 同一 that a newer one replaced does not come back.
create or replace temp table answers_so_far as
select
    *,
    struct_pack(decided_on := decided_on, folder := reference_date, read_at := read_at) as said
from linkage.answers
where reference_date <= $reference_date;

create or replace temp table answers_in_force as
select *
from answers_so_far
qualify row_number() over (partition by table_name, person_ref, child_key order by said desc, decided_by) = 1;

create or replace temp table answered_different as
select
    table_name,
    person_ref,
    child_key
from answers_in_force
where answer = 'different';

-- 保留: no rule may link the person before whoever asked to wait has answered.
create or replace temp table answered_not_yet as
select distinct
    table_name,
    person_ref
from answers_in_force
where answer = 'pending';

create or replace temp table said_same as
with newest_of_person as (
    select *
    from answers_so_far
    where answer = 'same'
    qualify
        rank() over (partition by table_name, person_ref order by said desc) = 1
        and count(distinct child_key) over (partition by table_name, person_ref, said) = 1
)

select
    n.table_name,
    n.person_ref,
    n.child_key,
    p.batch,
    n.said
from newest_of_person as n
join persons as p using (table_name, person_ref)
semi join named_children using (child_key)
semi join (from answers_in_force where answer = 'same') as f using (table_name, person_ref, child_key)
qualify row_number() over (partition by n.table_name, n.person_ref order by n.decided_by) = 1;

create or replace temp table answered_same as
select s.* exclude (said)
from said_same as s
where
    s.table_name <> 'school_roster'
    or not exists (
        from said_same as o
        join stood as mine on mine.person_ref = s.person_ref
        join stood as theirs on theirs.person_ref = o.person_ref and theirs.delivered_on = mine.delivered_on
        where
            o.table_name = 'school_roster'
            and o.child_key = s.child_key
            and o.person_ref <> s.person_ref
            and o.said >= s.said
    );
