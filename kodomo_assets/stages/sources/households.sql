-- Residents of school age at the reference date by file, and how many of them live in no household with an adult: a
-- 世帯番号 with too many members is no household, and an adult may stand in another file.
with residents as (
    select
        source_file,
        birth_date,
        count(*) over household as members,
        count(*) filter (birth_date <= $adult) over household as adults
    from new_resident_register
    where
        (resident_since is null or resident_since <= $reference_date)
        and (removed_on is null or removed_on > $reference_date)
    window household as (partition by household_id)
)

select
    r.source_file,
    any_value(d.sha256),
    count(*),
    count(*) filter (r.adults = 0 or r.members > $max_household_size),
    count(*) filter (r.members = 1),
    count(*) filter (r.members > $max_household_size)
from residents as r
join new_deliveries as d on d.file = r.source_file
where r.birth_date between $oldest and $youngest
group by r.source_file
order by r.source_file
