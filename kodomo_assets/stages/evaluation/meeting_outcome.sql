-- What the meeting made of the list and of the random sample from below the cut (method §6, fairness and validity): only
-- the sample can say what the list misses. Reads the temp table decision_steps, and the macros
-- of intervals.sql.
create or replace temp table judged as
select
    case l.origin when 'selected' then 'list' else l.origin end as stratum,
    d.decision,
    s.counted_as in ('accepted', 'preventive') as is_supported,
    -- a child of the sample stands for all who could have been drawn in its place
    1 / l.probability as weight
from review.meeting_list as l
left join review.decisions_in_force as d using (reference_date, child_key)
left join decision_steps as s using (decision)
where
    l.reference_date = $reference_date
    -- a list of before kept no probabilities
    and l.probability is not null;

create or replace temp table new_meeting_outcome as
-- While one child is undecided, counts of either side could tell which one it is of.
with whole as (
    select *
    from judged
    where not exists (from judged as open_one where open_one.decision is null)
),

strata as (
    select
        stratum,
        count(*) as of_stratum,
        sum(weight) as weighed,
        -- Kish: as many equally weighed children would tell as much
        sum(weight) ^ 2 / sum(weight ^ 2) as effective
    from whole
    group by stratum
),

outcomes as (
    select
        stratum,
        decision,
        count(*) as children,
        sum(weight) as weight
    from whole
    group by stratum, decision
    union all
    select
        stratum,
        $supported as decision,
        count(*) filter (is_supported) as children,
        coalesce(sum(weight) filter (is_supported), 0) as weight
    from whole
    group by stratum
),

shares as (
    select
        o.*,
        s.of_stratum,
        o.weight / s.weighed as share,
        s.weighed,
        s.effective
    from outcomes as o
    join strata as s using (stratum)
),

intervals as (
    select
        stratum,
        decision,
        children,
        weight,
        of_stratum,
        weighed,
        share,
        wilson_low(share, effective) as low,
        wilson_high(share, effective) as high
    from shares
),

-- Of all whom the meeting would support, those on the list; its interval is that of what the sample says is missed.
recall as (
    select
        'recall' as stratum,
        $supported as decision,
        l.children + m.children as children,
        l.weight + m.weight as weight,
        round(l.weight + m.weight) as of_stratum,
        l.weight / nullif(l.weight + m.weight, 0) as share,
        l.weight / nullif(l.weight + m.high * m.weighed, 0) as low,
        l.weight / nullif(l.weight + m.low * m.weighed, 0) as high
    from intervals as l
    join intervals as m on m.stratum = 'sample' and m.decision = $supported
    where l.stratum = 'list' and l.decision = $supported
)

select
    $reference_date::date as reference_date,
    stratum,
    decision,
    children::integer as children,
    of_stratum::integer as decided,
    share,
    weight,
    low,
    high
from (
    from intervals
    union all by name
    from recall
);
