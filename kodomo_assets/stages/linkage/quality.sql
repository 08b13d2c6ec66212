-- What the linkage of a refresh is worth, per table and school, over whoever stands in the delivery in force.
-- Probabilities are added as decimals: a sum of doubles would depend on the order in which threads meet the rows.
create or replace temp table persons_in_force as
with hoped as (
    -- how likely somebody unlinked is any child at all
    select
        table_name,
        person_ref,
        least(sum(probability::decimal(18, 15)), 1) as probability
    from candidates
    group by all
),

in_review as (
    select distinct
        table_name,
        person_ref
    from new_review
)

select
    p.table_name,
    coalesce(p.school_code, '') as school_code,
    case
        when l.person_ref is not null then l.method
        when r.person_ref is not null then 'in_review'
        else 'unlinked'
    end as method,
    l.person_ref is not null as is_linked,
    coalesce(l.probability, h.probability, 0)::decimal(18, 15) as probability,
    coalesce(p.birth_date between $first_birth_date and $last_birth_date, false) as of_school_age
from persons as p
left join linked as l using (table_name, person_ref)
left join in_review as r using (table_name, person_ref)
left join hoped as h using (table_name, person_ref)
where p.in_force;

create or replace temp table new_coverage as
select
    $reference_date::date as reference_date,
    table_name,
    school_code,
    count(*)::integer as persons,
    (count(*) filter (is_linked))::integer as linked,
    (count(*) filter (not is_linked))::integer as unlinked,
    (count(*) filter (method = 'in_review'))::integer as in_review,
    (count(*) filter (of_school_age))::integer as persons_of_school_age,
    (count(*) filter (of_school_age and is_linked))::integer as linked_of_school_age,
    sum(probability) filter (is_linked)::double / nullif(count(*) filter (is_linked), 0) as expected_precision,
    sum(probability) filter (is_linked)::double / nullif(sum(probability), 0)::double as expected_recall
from persons_in_force
group by table_name, school_code;

create or replace temp table new_quality as
select
    $reference_date::date as reference_date,
    table_name,
    school_code,
    method,
    count(*)::integer as persons,
    count(*) / sum(count(*)) over (partition by table_name, school_code) as share
from persons_in_force
group by table_name, school_code, method;

-- Links that are not those of the last refresh, of persons and children who were there then and are there now.
create or replace temp table new_changes as
with previous_date as (
    select max(reference_date) as reference_date
    from linkage.links
    where reference_date < $reference_date
),

known_then as (
    select
        'school_roster' as table_name,
        pupil_id as person_ref,
        reference_date
    from sources.school_roster
    union all
    select
        'ssw_records',
        record_id,
        reference_date
    from sources.ssw_records
    union all
    select
        'education_counselling',
        reception_id,
        reference_date
    from sources.education_counselling
    union all
    select
        'child_consultations',
        consultation_id,
        reference_date
    from sources.child_consultations
),

before as (
    select l.*
    from linkage.links as l
    join previous_date using (reference_date)
),

children_before as (
    select c.child_key
    from linkage.children as c
    join previous_date using (reference_date)
),

compared as (
    select
        table_name,
        person_ref,
        l.child_key,
        l.method,
        b.child_key as previous_child_key,
        b.method as previous_method
    from linked as l
    full join before as b using (table_name, person_ref)
    semi join persons using (table_name, person_ref)
)

select
    $reference_date::date as reference_date,
    c.table_name,
    c.person_ref,
    previous_date.reference_date as previous_date,
    case
        when c.child_key is null then 'lost'
        when c.previous_child_key is null then 'gained'
        else 'moved'
    end as change,
    c.child_key,
    c.method,
    c.previous_child_key,
    c.previous_method
from compared as c
cross join previous_date
where
    previous_date.reference_date is not null
    and c.child_key is distinct from c.previous_child_key
    and not exists (from stopped_children as s where s.child_key in (c.child_key, c.previous_child_key))
    -- a child who came or left takes its links along: that is no change of a link
    and (c.child_key is null or c.child_key in (from children_before))
    and (c.previous_child_key is null or c.previous_child_key in (select child_key from named_children))
    and (c.table_name, c.person_ref) in (
        select (k.table_name, k.person_ref)
        from known_then as k
        where k.reference_date <= previous_date.reference_date
    );
