-- Children of compulsory school age whose household holds a protected member at the reference date: number, of how many.
with residents as (
    select
        birth_date,
        protection,
        -- a facility is no household: each of its residents stands alone
        case
            when count(*) over (partition by household_id) > $max_household_size then resident_id
            else household_id
        end as household
    from new_resident_register
    where removed_on is null or removed_on > $reference_date
),

protected as (
    select distinct household
    from residents
    where protection
)

select
    count(*) filter (household in (select household from protected)),
    count(*)
from residents
where birth_date between $oldest and $youngest
