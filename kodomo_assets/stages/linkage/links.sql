-- Every person of a table that links by name, and the rules that give it to a child; what one rule links, the next
-- does not see. A probabilistic pass can follow on what is left in `persons`.

-- Exact kana: NFKC (as stored) without any white space and without private-use characters, nothing more.
create or replace temp macro kana_key(kana) as
    nullif(regexp_replace(kana, '[\s\pZ\p{Co}]', '', 'g'), '');

-- Names of schools are compared by `text_key(name)` (links.py): 異体字 folded, without white space and 外字.
create or replace temp table spine as
select
    c.child_key,
    c.resident_id,
    kana_key(r.name_kana) as kana,
    r.birth_date,
    r.sex,
    c.school_code,
    text_key(s.school_name) as school_name
from linkage.children as c
join delivered_resident_register as r using (resident_id)
join delivered_school_register as s using (resident_id)
where c.reference_date = $reference_date;

create or replace temp table school_names as
select
    school_name,
    min(school_code) as school_code
from spine
group by school_name;

-- `batch` is the delivery in which a person may have one number only; records have none, many may be one child's.
create or replace temp table persons as
with roster as (
    -- the newest delivery on or before the reference date that contains the number
    select r.*
    from sources.school_roster as r
    join (
        select distinct reference_date
        from sources.deliveries
        where
            table_name = 'school_roster'
            and status = 'accepted'
            and not superseded
            and reference_date <= $reference_date
    ) using (reference_date)
    qualify row_number() over (partition by r.pupil_id order by r.reference_date desc) = 1
)

select
    'school_roster' as table_name,
    pupil_id as person_ref,
    reference_date as batch,
    null::varchar as resident_id,
    kana_key(name_kana) as kana,
    birth_date,
    sex,
    school_code,
    null::varchar as school_name
from roster
union all by name
select
    'ssw_records' as table_name,
    record_id as person_ref,
    kana_key(name_kana) as kana,
    birth_date,
    text_key(school_name) as school_name
from delivered_ssw_records
union all by name
select
    'education_counselling' as table_name,
    reception_id as person_ref,
    kana_key(name_kana) as kana,
    birth_date,
    text_key(school_name) as school_name
from delivered_education_counselling
union all by name
select
    'child_consultations' as table_name,
    consultation_id as person_ref,
    child_resident_id as resident_id,
    kana_key(name_kana) as kana,
    birth_date
from delivered_child_consultations;

create or replace temp table linked (
    table_name varchar,
    person_ref varchar,
    batch date,
    child_key varchar,
    method varchar
);

-- 1. 宛名番号. A number that is not on the spine is somebody else's: the record is not tried by name.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'resident_id' as method
from persons as p
join spine as s using (resident_id);

-- 2. 学籍番号: kana, birth date, sex and school, unique on both sides within the delivery.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth_sex_school' as method
from persons as p
join spine as s using (kana, birth_date, sex, school_code)
where p.table_name = 'school_roster'
qualify
    count(*) over (partition by p.batch, p.person_ref) = 1
    and count(*) over (partition by p.batch, s.child_key) = 1;

-- 3. 学籍番号: kana and birth date, the sex not contradicting, among what is left of the delivery.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth' as method
from persons as p
anti join linked as l on l.table_name = p.table_name and l.person_ref = p.person_ref
join spine as s
    on
        s.kana = p.kana
        and s.birth_date = p.birth_date
        and coalesce(s.sex <> p.sex, false) = false
where
    p.table_name = 'school_roster'
    and not exists (
        from linked as taken
        where taken.table_name = p.table_name and taken.batch = p.batch and taken.child_key = s.child_key
    )
qualify
    count(*) over (partition by p.batch, p.person_ref) = 1
    and count(*) over (partition by p.batch, s.child_key) = 1;

-- 4. Records: kana, birth date and school name, where exactly one child fits.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth_school' as method
from persons as p
join spine as s using (kana, birth_date, school_name)
where p.table_name in ('ssw_records', 'education_counselling')
qualify count(*) over (partition by p.table_name, p.person_ref) = 1;

-- 5. Records: kana and birth date, where exactly one child fits.
insert into linked
select
    p.table_name,
    p.person_ref,
    p.batch,
    s.child_key,
    'kana_birth' as method
from persons as p
anti join linked as l on l.table_name = p.table_name and l.person_ref = p.person_ref
join spine as s using (kana, birth_date)
where
    p.table_name <> 'school_roster'
    and p.resident_id is null
qualify count(*) over (partition by p.table_name, p.person_ref) = 1;

create or replace temp table new_links as
select
    $reference_date::date as reference_date,
    table_name,
    person_ref,
    child_key,
    method,
    1.0::double as probability
from linked;

-- Whoever stands in the delivery in force; the numbers of older rosters belong for the most part to who left since.
create or replace temp table persons_in_force as
select
    p.table_name,
    coalesce(p.school_code, n.school_code, '') as school_code,
    l.person_ref is not null as is_linked,
    coalesce(p.birth_date between $first_birth_date and $last_birth_date, false) as of_school_age
from persons as p
join delivered as d using (table_name)
left join linked as l on l.table_name = p.table_name and l.person_ref = p.person_ref
left join school_names as n on n.school_name = p.school_name
where p.batch is null or p.batch = d.delivered_on;

create or replace temp table new_coverage as
select
    $reference_date::date as reference_date,
    table_name,
    school_code,
    count(*)::integer as persons,
    (count(*) filter (is_linked))::integer as linked,
    (count(*) filter (not is_linked))::integer as unlinked
from persons_in_force
group by all;
