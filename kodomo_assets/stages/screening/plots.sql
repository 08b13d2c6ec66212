-- Per school year: how many children have a score within each of $bins stretches between the lowest and the highest
-- score of the date, in points, and the lowest score that the ranking of the whole school year selected.
create or replace temp table score_distribution as
with points as (
    select
        cohort,
        selected,
        share_of,
        score * 1000 as points,
        min(score * 1000) over () as low,
        max(score * 1000) over () as high
    from screening.ranking
    where reference_date = $reference_date
),

placed as (
    select
        *,
        -- the highest score belongs to the last stretch
        case
            when high > low then least(floor((points - low) / (high - low) * $bins), $bins - 1)::integer else 0
        end as bin
    from points
),

counted as (
    select
        cohort,
        bin,
        count(*) as children
    from placed
    group by cohort, bin
),

cohorts as (
    select
        cohort,
        count(*) as children,
        count(*) filter (selected) as selected,
        min(points) filter (selected and share_of = 'cohort') as cut,
        any_value(low) as low,
        any_value(high) as high
    from placed
    group by cohort
)

select
    c.*,
    list(coalesce(n.children, 0) order by b.bin) as counts
from cohorts as c
cross join (select unnest(range($bins::integer)) as bin) as b
left join counted as n on n.cohort = c.cohort and n.bin = b.bin
group by all;
