-- How far items and scores moved since the weights were fitted and since last term, as the population stability index
-- (PSI): the sum over levels of (p - q) ln(p / q), p and q the shares now and then. It is Jeffreys' divergence, as
-- optbinning works it out; a level on which nobody stands at one of the dates counts as half a child there, since the
-- index of an empty one is infinite. Usual reading (Siddiqi 2006): to 0.10 little, to 0.25 some, above much; and what
-- stays within chance is none: without any shift the index is (1 / n + 1 / m) times a chi-squared variable with one degree
-- less than there are levels (Yurdakul and Naranjo 2020), n and m the children now and then.
--
-- An item is compared among the children who have a record: on 1 April 小4 have no survey yet and 小1 no attendance, and
-- in every September they do. Whether records are missing is what missing_share and missing_schools watch.
-- Reads the temp tables band_items and law_changes (drift.py) and new_list_changes.

-- What is compared with what: the features that the weights were fitted on, and the reference date before.
create or replace temp table compared_dates as
with fitted as (
    select
        any_value(reference_date) as fitted_on,
        any_value(case when label = 'incident_12m' then reference_date - to_years(1) else reference_date end) as features_on
    from weights.versions
    where version = $version
)

select
    'fit' as against,
    features_on::date as then_on,
    fitted_on as ranked_on
from fitted
where features_on < $reference_date
union all
select
    'last_term' as against,
    $previous_date::date as then_on,
    $previous_date::date as ranked_on
where $previous_date is not null;

create or replace temp table item_shares as
with counted as (
    select
        l.reference_date,
        c.band,
        l.item,
        l.level,
        count(*) as children
    from features.levels as l
    join linkage.children as c using (reference_date, child_key)
    semi join band_items as i on i.band = c.band and i.item = l.item
    where
        l.level <> 'no_record'
        and l.child_key not in (select q.child_key from rights.stops_in_force as q)
        and (l.reference_date = $reference_date or l.reference_date in (select then_on from compared_dates))
    group by l.reference_date, c.band, l.item, l.level
)

select
    d.against,
    d.then_on,
    'item' as kind,
    c.item as name,
    c.band,
    c.level as bin,
    coalesce(sum(c.children) filter (c.reference_date = $reference_date), 0) as now,
    coalesce(sum(c.children) filter (c.reference_date = d.then_on), 0) as before
from compared_dates as d
join counted as c on c.reference_date = d.then_on or c.reference_date = $reference_date
group by d.against, d.then_on, c.item, c.band, c.level;

-- Scores by the tenths of those that they are compared with; only of one version, or they are on no common scale.
create or replace temp table score_shares as
with scores as (
    select
        d.against,
        d.then_on,
        r.band,
        r.reference_date = $reference_date as is_now,
        round(r.score, 9) as score
    from compared_dates as d
    join screening.ranking as r
        on (r.reference_date = d.ranked_on or r.reference_date = $reference_date) and r.weights_version = $version
    anti join rights.stops_in_force as q on q.child_key = r.child_key
),

cuts as (
    select
        against,
        band,
        list_distinct(quantile_disc(score, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])) as cuts
    from scores
    where not is_now
    group by against, band
)

select
    s.against,
    s.then_on,
    'score' as kind,
    'score' as name,
    s.band,
    len(list_filter(c.cuts, lambda cut: cut < s.score))::varchar as bin,
    count(*) filter (s.is_now) as now,
    count(*) filter (not s.is_now) as before
from scores as s
join cuts as c using (against, band)
group by s.against, s.then_on, s.band, bin;

create or replace temp table new_drift as
with in_model as (
    select distinct band, item
    from weights.coefficients
    where version = $version
),

shares as (
    select
        *,
        sum(now) over of_subject as all_now,
        sum(before) over of_subject as all_before,
        greatest(now, 0.5) / all_now as p,
        greatest(before, 0.5) / all_before as q
    from (
        from item_shares
        union all by name
        from score_shares
    )
    window of_subject as (partition by against, kind, name, band)
),

stability as (
    select
        against,
        then_on,
        kind,
        name,
        band,
        any_value(all_now) as children_now,
        any_value(all_before) as children_then,
        sum((p - q) * ln(p / q)) as psi,
        -- the mean of that chi-squared variable and as many of its deviations as 95 of 100 stay below
        (1 / any_value(all_now) + 1 / any_value(all_before))
        * (count(*) - 1 + $quantile * sqrt(2 * (count(*) - 1))) as by_chance
    from shares
    -- a date of which nothing is kept any more says nothing
    where all_now > 0 and all_before > 0
    group by against, then_on, kind, name, band
),

laws as (
    select
        s.against,
        s.kind,
        s.name,
        s.band,
        string_agg(distinct w.law, '・' order by w.law) as law
    from stability as s
    join law_changes as w on w.day > s.then_on and w.day <= $reference_date
    left join in_model as m on m.band = s.band and m.item = w.item
    where w.item = s.name or (s.kind = 'score' and m.item is not null)
    group by s.against, s.kind, s.name, s.band
),

lists as (
    select
        band,
        count(*) filter (change = 'stayed') as stayed,
        count(*) filter (change = 'entered') as entered,
        count(*) filter (change = 'left') as left_list,
        count(*) filter (change = 'not_screened') as not_screened
    from new_list_changes
    group by cube(band)
)

select
    $reference_date::date as reference_date,
    s.kind,
    s.name,
    s.band,
    s.against,
    s.then_on as previous_date,
    s.kind = 'score' or m.item is not null as in_model,
    s.children_now::integer as children_now,
    s.children_then::integer as children_then,
    s.psi,
    s.by_chance,
    null::integer as stayed,
    null::integer as entered,
    null::integer as left_list,
    null::integer as not_screened,
    case
        -- of so few an index says nothing: chance alone may make a large one, and hide one
        when least(s.children_now, s.children_then) < $suppress_below then 'too_few'
        when s.psi <= s.by_chance and s.by_chance > $shifted then 'too_few'
        when s.psi <= greatest(s.by_chance, $moderate) then 'stable'
        when s.psi <= $shifted then 'moderate'
        else 'shifted'
    end as verdict,
    w.law
from stability as s
left join laws as w using (against, kind, name, band)
left join in_model as m on m.band = s.band and m.item = s.name
union all by name
select
    $reference_date::date as reference_date,
    'list' as kind,
    'list' as name,
    band,
    'last_term' as against,
    $previous_date::date as previous_date,
    true as in_model,
    stayed::integer as stayed,
    entered::integer as entered,
    left_list::integer as left_list,
    not_screened::integer as not_screened
from lists
where $previous_date is not null and stayed + entered + left_list + not_screened > 0;
