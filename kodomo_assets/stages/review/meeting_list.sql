-- Who goes to the meeting: the selected children, and where a sample is drawn some from below the cut, unmarked among
-- them: without it nobody can ever know what the list misses (method §7). Most of the sample stands between the cut and
-- the middle of its school year, where a child is hardest to tell from the list; the others stand below the middle, and
-- everyone below the cut has a known probability above 0.
create or replace temp table new_meeting_list as
with ranked as (
    select
        r.child_key,
        r.selected,
        not r.selected and 2 * r.rank <= count(*) over (partition by r.cohort) as near,
        c.sheet_number,
        n.lot
    from screening.ranking as r
    join numbered_children as c using (child_key)
    join lots as n using (child_key)
    where r.reference_date = $reference_date
),

counted as (
    select
        count(*) filter (near) as near_children,
        count(*) filter (not near and not selected) as far_children,
        -- a keyed number from 0 to 1 that hangs on none of the single draws
        coalesce(
            ('0x' || left(sha256('near|' || string_agg(lot, '' order by child_key)), 8))::bigint / 4294967296.0, 0
        ) as chance
    from ranked
),

-- How many near ones are expected. Where one part is too small for its share the other fills the sample.
expected as (
    select
        *,
        least($sample, near_children + far_children) as size,
        least(near_children, greatest($sample * $near_share, $sample - far_children))::double as near_expected
    from counted
),

-- 0.7 x 5 = 3.5 near ones are 3 or 4, by a keyed draw: so that the probability is exactly that of the share.
parts as (
    select
        *,
        (floor(near_expected) + (chance < near_expected - floor(near_expected))::integer)::integer as near_size
    from expected
),

drawn as (
    select
        r.*,
        row_number() over (partition by r.near order by r.lot) as place,
        case when r.near then p.near_size else p.size - p.near_size end as part_size,
        case
            when r.near then p.near_expected / nullif(p.near_children, 0)
            else (p.size - p.near_expected) / nullif(p.far_children, 0)
        end as probability
    from ranked as r
    cross join parts as p
    where not r.selected
),

-- Once the meeting decided, the sample is the one that it had, as far as it is still below the cut: a correction that
-- moves the cut must not draw other children, of whom nobody was asked. Both tables are read as an earlier refresh left
-- them: the list cannot hang below the decisions on it.
kept as (
    select
        r.child_key,
        r.sheet_number,
        l.probability
    from review.meeting_list as l
    join ranked as r using (child_key)
    where
        l.reference_date = $reference_date
        and l.origin = 'sample'
        and not r.selected
),

decided as (
    select
        exists (from review.decisions where reference_date = $reference_date)
        and exists (from review.meeting_list where reference_date = $reference_date and origin = 'sample') as is_decided
),

sampled as (
    select
        child_key,
        sheet_number,
        probability
    from kept
    where (select d.is_decided from decided as d)
    union all
    select
        child_key,
        sheet_number,
        probability
    from drawn
    where place <= part_size and not (select d.is_decided from decided as d)
)

select
    $reference_date::date as reference_date,
    child_key,
    'selected' as origin,
    sheet_number,
    1.0::double as probability
from ranked
where selected
union all by name
select
    $reference_date::date as reference_date,
    child_key,
    'sample' as origin,
    sheet_number,
    probability
from sampled
order by child_key;
