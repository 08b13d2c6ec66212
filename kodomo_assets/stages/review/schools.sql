-- Names and classes of the children for their schools, as they stood on $as_of: a file of an old date that is out at
-- schools must not take a later school year. A child's school is that of the newest register delivered by then: who
-- moved between the list and the decision is told to the new school. A child under 支援措置, by the newest register of
-- all, is told to no school without a release.
create or replace temp table school_children as
with newest_register as (
    select
        resident_id,
        school_code,
        school_year
    from sources.school_register
    where reference_date = (select max(reference_date) from sources.school_register where reference_date <= $as_of)
),

newest_links as (
    select
        child_key,
        person_ref as pupil_id
    from linkage.links
    where
        table_name = 'school_roster'
        and reference_date = (select max(reference_date) from linkage.links where reference_date <= $as_of)
),

-- Who came under 支援措置 since the reference date is protected too: a child who fled may be on a new school's register.
newest_residents as (
    select
        resident_id,
        household_id,
        protection
    from sources.resident_register
    where reference_date = (select max(reference_date) from sources.resident_register)
),

protected_since as (
    select distinct r.resident_id
    from newest_residents as r
    join newest_residents as m using (household_id)
    where m.protection
),

-- The school's own spelling of a name, where it has the child on its roster.
roster as (
    select
        n.child_key,
        r.name,
        r.class_name
    from newest_links as n
    join sources.school_roster as r using (pupil_id)
    where r.reference_date <= $as_of
    qualify row_number() over (partition by n.child_key order by r.reference_date desc, r.pupil_id) = 1
)

select
    c.child_key,
    c.sheet_number,
    g.school_code,
    coalesce(g.school_year, c.school_year) as school_year,
    r.class_name,
    coalesce(r.name, p.name, p.name_kana, '') as name,
    c.on_list,
    c.decision,
    c.direction,
    (c.protected or s.resident_id is not null) and not c.release as kept_back
from meeting_children as c
left join newest_register as g on g.resident_id = c.resident_id
left join roster as r on r.child_key = c.child_key
left join protected_since as s on s.resident_id = c.resident_id
left join delivered_resident_register as p on p.resident_id = c.resident_id;
