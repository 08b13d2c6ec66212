-- 学籍番号 whose newest delivery is $batch; the newest batch comes first. A child whose other number stood in the same
-- delivery has it already.
create or replace temp table taken_there as
select distinct
    mine.person_ref,
    l.child_key
from linked as l
join stood as theirs on theirs.person_ref = l.person_ref
join stood as mine on mine.delivered_on = theirs.delivered_on
join persons as p on p.table_name = 'school_roster' and p.person_ref = mine.person_ref and p.batch = $batch
join named_children as s on s.child_key = l.child_key and s.birth_date = p.birth_date
where l.table_name = 'school_roster';

-- 1. Kana, birth date, sex and school, unique on both sides within the delivery.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth_sex_school' as method,
    1.0 as probability
from undecided as p
join named_children as s using (kana, birth_date, sex, school_code)
anti join taken_there as t on t.person_ref = p.person_ref and t.child_key = s.child_key
anti join answered_different as d using (table_name, person_ref, child_key)
anti join answered_not_yet as w using (table_name, person_ref)
where p.table_name = 'school_roster' and p.batch = $batch
qualify
    count(*) over (partition by p.person_ref) = 1
    and count(*) over (partition by s.child_key) = 1;

create or replace temp table taken_here as
select child_key
from linked
where table_name = 'school_roster' and batch = $batch;

-- 2. Kana and birth date, the sex not contradicting, among what is left of the delivery.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth' as method,
    1.0 as probability
from undecided as p
join named_children as s
    on
        s.kana = p.kana
        and s.birth_date = p.birth_date
        and coalesce(s.sex <> p.sex, false) = false
anti join taken_there as t on t.person_ref = p.person_ref and t.child_key = s.child_key
anti join taken_here as h on h.child_key = s.child_key
anti join answered_different as d using (table_name, person_ref, child_key)
anti join answered_not_yet as w using (table_name, person_ref)
where p.table_name = 'school_roster' and p.batch = $batch
qualify
    count(*) over (partition by p.person_ref) = 1
    and count(*) over (partition by s.child_key) = 1;
