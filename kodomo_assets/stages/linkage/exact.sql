-- The rules that give a person to a child, in their order (method §3); what one rule links, the next does not see.
-- What a person answered comes first; then exact links (those of 学籍番号 stand in exact_roster.sql); what is left in
-- `undecided` is compared by probability.

create or replace temp table linked (
    table_name varchar,
    person_ref varchar,
    batch date,
    child_key varchar,
    method varchar,
    probability double
);

create or replace temp view undecided as
select p.*
from persons as p
anti join linked as l using (table_name, person_ref);

-- 0. 名寄せ確認: 同一.
insert into linked
select
    a.table_name,
    a.person_ref,
    a.batch,
    a.child_key,
    'review' as method,
    1.0 as probability
from answered_same as a;

-- 1. 宛名番号. A number that is not on the spine is somebody else's: the record is not tried by name.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'resident_id' as method,
    1.0 as probability
from undecided as p
join named_children as s using (resident_id)
anti join answered_different as d using (table_name, person_ref, child_key)
anti join answered_not_yet as w using (table_name, person_ref);

-- 2. Records: kana, birth date and school name, where exactly one child fits.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth_school' as method,
    1.0 as probability
from undecided as p
join named_children as s using (kana, birth_date, school_name)
anti join answered_different as d using (table_name, person_ref, child_key)
anti join answered_not_yet as w using (table_name, person_ref)
where p.table_name in ('ssw_records', 'education_counselling')
qualify count(*) over (partition by p.table_name, p.person_ref) = 1;

-- 3. Records: kana and birth date, where exactly one child fits.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth' as method,
    1.0 as probability
from undecided as p
join named_children as s using (kana, birth_date)
anti join answered_different as d using (table_name, person_ref, child_key)
anti join answered_not_yet as w using (table_name, person_ref)
where
    p.table_name <> 'school_roster'
    and p.resident_id is null
qualify count(*) over (partition by p.table_name, p.person_ref) = 1;
