-- Under which numbers a person is known: $resident_id, $child_key and what the tables of the linkage make of them.
create or replace temp table subject_numbers as
with links as (
    from linkage.links
    union all by name
    -- of who is stopped (利用停止): what is recorded is the person's all the same
    from linkage.stopped_links
),

dates as (
    select reference_date
    from sources.deliveries
    union
    select reference_date
    from links
),

never_others as (
    select
        table_name,
        person_ref
    from links
    group by
        table_name,
        person_ref
    having bool_and(child_key = $child_key)
),

linked as (
    select
        table_name,
        person_ref as number,
        reference_date
    from links
    where child_key = $child_key
    union
    -- what was never anybody else's, but for a 学籍番号 where the child went by another one: schools number anew
    select
        o.table_name,
        o.person_ref as number,
        d.reference_date
    from never_others as o
    cross join dates as d
    where
        o.table_name <> 'school_roster'
        or d.reference_date not in (
            select reference_date
            from links
            where table_name = 'school_roster' and child_key = $child_key
        )
),

pupil_numbers as (
    select
        number,
        reference_date
    from linked
    where table_name = 'school_roster'
),

households as (
    select
        household_id as number,
        reference_date
    from linkage.residents
    where resident_id = $resident_id
    union
    select
        household_id as number,
        reference_date
    from sources.resident_register
    where resident_id = $resident_id
)

select
    'resident_id' as kind,
    null::varchar as table_name,
    $resident_id::varchar as number,
    null::date as reference_date
union all by name
select
    'child_key' as kind,
    $child_key::varchar as number
union all by name
select
    'household_id' as kind,
    number,
    reference_date
from households
union all by name
select
    'pupil_id' as kind,
    number,
    reference_date
from pupil_numbers
union all by name
select
    'delivered_ref' as kind,
    unnest($resident_tables::varchar[]) as table_name,
    $resident_id::varchar as number
union all by name
select
    'delivered_ref' as kind,
    unnest($pupil_tables::varchar[]) as table_name,
    number,
    reference_date
from pupil_numbers
union all by name
select
    'person_ref' as kind,
    table_name,
    number,
    reference_date
from linked;
