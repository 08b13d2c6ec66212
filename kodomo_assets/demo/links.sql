-- How each number in force that has only a name to go by was linked at the newest reference date, per kind of what is
-- written wrong about it. $1 is the truth's links.csv.
with day as (
    select max(reference_date) as reference_date from linkage.children
),

children as (
    select
        c.child_key,
        c.resident_id,
        c.household_id
    from linkage.children as c
    join day using (reference_date)
),

truth as (
    select
        table_name,
        person_ref,
        kind,
        lpad(resident_id, 10, '0') as resident_id
    from read_csv($1, all_varchar = true)
),

delivered as (
    select
        'school_roster' as table_name,
        pupil_id as person_ref,
        reference_date
    from sources.school_roster
    union all by name
    select
        'ssw_records' as table_name,
        record_id as person_ref,
        reference_date
    from sources.ssw_records
    union all by name
    select
        'education_counselling' as table_name,
        reception_id as person_ref,
        reference_date
    from sources.education_counselling
    union all by name
    -- whoever comes with a 宛名番号 is not linked by name
    select
        'child_consultations' as table_name,
        consultation_id as person_ref,
        reference_date
    from sources.child_consultations
    where child_resident_id is null
),

in_force as (
    select
        d.table_name,
        d.person_ref
    from delivered as d
    join day on d.reference_date <= day.reference_date
    qualify d.reference_date = max(d.reference_date) over (partition by d.table_name)
),

-- twins share a household; there is one pair in any
twins as (
    select distinct
        c.child_key,
        c.household_id
    from truth as t
    join children as c using (resident_id)
    where t.kind = 'twin'
),

reviewed as (
    select
        r.table_name,
        r.person_ref,
        list(r.child_key) as candidates
    from linkage.review as r
    join day using (reference_date)
    group by all
),

numbers as (
    select
        -- of a child who left the spine nothing can be found
        case when own.child_key is null and t.kind <> 'stranger' then 'gone' else t.kind end as kind,
        own.child_key as true_child,
        l.child_key as linked,
        l.child_key is null and r.candidates is not null as review,
        coalesce(l.child_key is null and list_contains(r.candidates, own.child_key), false) as review_right,
        l.child_key <> own.child_key and pair.household_id = other.household_id as swapped
    from in_force as f
    join truth as t on t.table_name = f.table_name and t.person_ref = f.person_ref
    left join children as own on own.resident_id = t.resident_id
    left join (select * from linkage.links join day using (reference_date)) as l
        on l.table_name = f.table_name and l.person_ref = f.person_ref
    left join reviewed as r on r.table_name = f.table_name and r.person_ref = f.person_ref
    left join twins as pair on pair.child_key = own.child_key
    left join twins as other on other.child_key = l.child_key
)

select
    kind,
    count(*) as people,
    count(*) filter (linked = true_child) as "right",
    count(*) filter (linked is not null and linked is distinct from true_child) as wrong,
    count(*) filter (review) as review,
    count(*) filter (linked is null and not review) as unlinked,
    count(true_child) as with_child,
    count(*) filter (review_right) as review_right,
    count(*) filter (swapped) as swapped
from numbers
group by kind
order by list_position(['none', 'typo', 'family_name', 'date', 'twin', 'stranger', 'gone'], kind)
