-- Both sides of the linkage: the children of the spine, and every person of a table that links by name.

-- Exact kana: NFKC (as stored) without any white space and without private-use characters, nothing more.
create or replace temp macro kana_key(kana) as (
    nullif(regexp_replace(kana, '[\s\pZ\p{Co}]', '', 'g'), '')
);

-- Family and given name, where the kana has white space between them; what is behind a second gap is given name too.
create or replace temp macro family_part(kana) as (
    nullif(regexp_extract(trim(kana), '^([^\s\pZ]+)[\s\pZ]+\S', 1), '')
);
create or replace temp macro given_part(kana) as (
    nullif(regexp_extract(trim(kana), '^[^\s\pZ]+[\s\pZ]+(\S.*)$', 1), '')
);

-- Names of schools are compared by `text_key(name)`, kana that may be mistyped by `fold(kana)` and
-- `plain(kana)` (links.py).
-- Children whose use is stopped are compared like all others, so that no record of theirs, no number and no slip reaches a
-- twin or a namesake because they are away; what they are given is taken away again before anything is stored
-- (stopped.sql).
create or replace temp table stopped_children as
select
    s.child_key,
    s.resident_id,
    g.school_code
from rights.stops_in_force as s
join linkage.residents as r on r.resident_id = s.resident_id and r.reference_date = $reference_date
join delivered_school_register as g on g.resident_id = s.resident_id
anti join (from linkage.children where reference_date = $reference_date) as c on c.child_key = s.child_key;

create or replace temp table named_children as
select
    c.child_key,
    c.resident_id,
    r.name_kana,
    kana_key(r.name_kana) as kana,
    fold(r.name_kana) as folded,
    plain(r.name_kana) as plain,
    plain(family_part(r.name_kana)) as family,
    plain(given_part(r.name_kana)) as given,
    r.birth_date,
    r.sex,
    c.school_code,
    text_key(s.school_name) as school_name
from (
    select child_key, resident_id, school_code
    from linkage.children
    where reference_date = $reference_date
    union all
    select child_key, resident_id, school_code
    from stopped_children
) as c
join delivered_resident_register as r using (resident_id)
join delivered_school_register as s using (resident_id);

create or replace temp table school_names as
select
    school_name,
    min(school_code) as school_code
from named_children
group by school_name;

create or replace temp table roster_deliveries as
select distinct reference_date
from sources.deliveries
where
    table_name = 'school_roster'
    and status = 'accepted'
    and not superseded
    and reference_date <= $reference_date;

-- `batch` is the newest delivery of a 学籍番号; records have none, and many may be one child's.
create or replace temp table persons as
with roster as (
    -- the newest delivery on or before the reference date that contains the number
    select r.*
    from sources.school_roster as r
    semi join roster_deliveries using (reference_date)
    qualify row_number() over (partition by r.pupil_id order by r.reference_date desc) = 1
),

named as (
    select
        'school_roster' as table_name,
        pupil_id as person_ref,
        reference_date as batch,
        null::varchar as resident_id,
        name,
        name_kana,
        birth_date,
        sex,
        school_code,
        null::varchar as school_name,
        null::varchar as school_written
    from roster
    union all by name
    select
        'ssw_records' as table_name,
        record_id as person_ref,
        name_kana,
        birth_date,
        text_key(school_name) as school_name,
        school_name as school_written
    from delivered_ssw_records
    union all by name
    select
        'education_counselling' as table_name,
        reception_id as person_ref,
        name_kana,
        birth_date,
        text_key(school_name) as school_name,
        school_name as school_written
    from delivered_education_counselling
    union all by name
    select
        'child_consultations' as table_name,
        consultation_id as person_ref,
        child_resident_id as resident_id,
        name_kana,
        birth_date
    from delivered_child_consultations
)

select
    n.table_name,
    n.person_ref,
    n.batch,
    n.resident_id,
    n.name,
    n.name_kana,
    kana_key(n.name_kana) as kana,
    n.birth_date,
    n.sex,
    coalesce(n.school_code, s.school_code) as school_code,
    n.school_name,
    n.school_written,
    -- who stands in the delivery in force; the numbers of older rosters belong for the most part to who left since
    n.batch is null or n.batch = d.delivered_on as in_force
from named as n
join delivered as d using (table_name)
left join school_names as s using (school_name);

-- In which deliveries of the roster a number stood. Two numbers that stood in one are two children.
create or replace temp table stood as
select
    r.pupil_id as person_ref,
    r.reference_date as delivered_on
from sources.school_roster as r
semi join roster_deliveries using (reference_date);
