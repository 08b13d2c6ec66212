-- What was on record of the children of the fit before the first consultation, and what came later only. Reads the temp
-- tables fit_data and own_levels(item, level).

-- The day up to which a child's evidence counts as known before: its first consultation. Who has none is held against
-- the days of those who have, of the same school year, in an order that hangs on nothing: else the evidence of children
-- with a consultation alone would grow less, and every weight with it (index dates of a nested case-control study).
create or replace temp table index_days as
with numbered as (
    select
        band,
        school_year,
        child_key,
        features_at,
        event,
        event_on,
        -- the order of the children in the fit (bands, data.py)
        row_number() over (partition by band order by resident_id) - 1 as position,
        row_number() over (
            partition by band, school_year, event
            order by sha256($seed || '|' || resident_id)
        ) - 1 as number,
        count(*) filter (event) over (partition by band, school_year) as consultations
    from fit_data
)

select
    n.band,
    n.school_year,
    n.child_key,
    n.features_at,
    n.event,
    n.position,
    coalesce(n.event_on, e.event_on) as index_on
from numbered as n
left join numbered as e
    on
        not n.event
        and e.event
        and e.band = n.band
        and e.school_year = n.school_year
        and e.number = n.number % n.consultations;

create or replace temp table own_evidence as
select
    d.band,
    d.school_year,
    d.position,
    d.event,
    d.index_on,
    l.item,
    l.evidence_on,
    coalesce(l.evidence_on > d.index_on, false) as is_after
from index_days as d
join features.levels as l on l.reference_date = d.features_at and l.child_key = d.child_key
join own_levels as o on o.item = l.item and o.level = l.level;

-- What the days alone would give: the evidence of children with a consultation held against the first consultations of
-- all of them that hold the item, of the school year. What is asked or counted every year is after most of them.
create or replace temp table leaked as
with days as (
    select
        band,
        item,
        school_year,
        unnest([evidence_on, index_on]) as day,
        unnest([false, true]) as is_consultation
    from own_evidence
    where event and evidence_on is not null
),

-- of one day's the evidence comes first: it is not after
counted as (
    select
        band,
        item,
        is_consultation,
        count(*) filter (is_consultation) over (
            partition by band, item, school_year
            order by day, is_consultation
            rows between unbounded preceding and current row
        ) as earlier,
        count(*) filter (is_consultation) over (partition by band, item, school_year) as consultations
    from days
),

by_dates as (
    select
        band,
        item,
        avg(earlier / consultations) as by_dates_share
    from counted
    where not is_consultation
    group by band, item
)

select
    e.band,
    e.item,
    count(*)::integer as children,
    count(e.evidence_on)::integer as dated,
    count(*) filter (e.is_after) / nullif(count(e.evidence_on), 0) as after_share,
    any_value(d.by_dates_share) as by_dates_share
from own_evidence as e
left join by_dates as d on d.band = e.band and d.item = e.item
where e.event
group by e.band, e.item;
