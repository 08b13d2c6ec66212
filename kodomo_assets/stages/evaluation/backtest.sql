-- Every past list against the first consultations after it (method §6, fairness and validity). Reads the temp table
-- counted_steps (backtest.py).
--
-- Who is followed: every child that was ranked at the list's date, by its 宛名番号; it needs no later spine, so that whoever
-- left school since is followed like everybody else as long as 住民記録 knows the child (consultations go on to 18).
-- Who is left out: whoever had a consultation record by the list's date, or whom an earlier list had led to something
-- by then. That was known on the list's date and is the same for every rule.
-- What is not known: of a child that moved away (or is in no register any more) before the horizon was over without a
-- first consultation, nobody knows whether there would have been one: it is `censored` and in no rate. One that had its
-- consultation before it moved away counts: children are moved because of consultations, and leaving those out would
-- leave out the gravest. Leaving out the others makes each rate too high by no more than censored / listed of itself, in
-- every rule alike. A list younger than the horizon says nothing and has no row.
-- What the list bred: a first consultation after an earlier list, or this one, had led to something for the child (a
-- decision a, b or c, a talk, a filled 個人票) may be there because of it. It is no first consultation of any rule,
-- whatever the label counts; the child stays among the followed, so that a list can only lose by it. `bred` says how
-- many they are: with all of them the rate would be (first_consultations + bred) / followed.
-- Intervals are Wilson's with as many children as their households make of them (intervals.sql): siblings are consulted
-- about together, and a child may be on the lists of several years.

create or replace temp table past_lists as
with dates as (
    select
        reference_date as list_date,
        any_value(weights_version) as version,
        lag(reference_date) over (order by reference_date) as previous_date
    from screening.ranking
    where reference_date < $reference_date
    group by reference_date
),

horizons as (
    select unnest($horizons::integer[]) as horizon_months
),

complete as (
    select
        d.list_date,
        d.version,
        d.previous_date,
        h.horizon_months,
        (d.list_date + to_months(h.horizon_months))::date as until
    from dates as d
    cross join horizons as h
    where until <= $reference_date
)

select
    *,
    max(list_date) over (partition by horizon_months) as newest,
    datediff('month', list_date, newest) as months_before,
    -- Over the years only lists are added up whose horizons do not overlap, the newest one and those a whole horizon
    -- before one another: no consultation counts twice, and the terms of one year are no further evidence.
    list_date + to_months(months_before) = newest and months_before % horizon_months = 0 as is_pooled
from complete;

-- One row per list, horizon and ranked child, with what became of the child.
create or replace temp table followed_children as
select
    r.reference_date as list_date,
    r.child_key,
    r.band,
    r.cohort,
    r.selected,
    r.legacy_hits,
    r.legacy_flag,
    count(*) filter (r.selected) over (partition by r.reference_date, r.cohort) as places,
    sha256(r.reference_date::varchar || '|' || r.child_key) as lot,
    r.known_before
    or coalesce(f.first_received_on <= r.reference_date, false)
    or coalesce(f.led_on <= r.reference_date, false) as was_known,
    f.first_received_on,
    coalesce(f.first_received_on > f.led_on, false) as is_bred,
    f.seen_until,
    -- whoever stands on no spine any more stands alone
    coalesce(s.household_id, r.child_key) as household_id
from screening.ranking as r
left join linkage.children as s using (reference_date, child_key)
left join features.follow_ups as f on f.reference_date = $reference_date and f.child_key = r.child_key
where
    r.reference_date in (select list_date from past_lists)
    and r.child_key not in (select q.child_key from rights.stops_in_force as q);

create or replace temp table rule_lists as
with stepped as (
    select
        l.reference_date as list_date,
        l.child_key,
        s.band,
        sum(s.steps) as steps
    from features.levels as l
    join counted_steps as s using (item, level)
    where l.reference_date in (select list_date from past_lists)
    group by l.reference_date, l.child_key, s.band
),

placed as (
    select
        c.*,
        row_number() over (partition by c.list_date, c.cohort order by c.legacy_hits desc, c.lot) as legacy_place,
        -- a database of before kept no levels of an old date: nothing can be counted then
        count(s.steps) over (partition by c.list_date) > 0 as is_counted,
        row_number() over (partition by c.list_date, c.cohort order by coalesce(s.steps, 0) desc, c.lot) as count_place
    from followed_children as c
    left join stepped as s using (list_date, child_key, band)
),

previous as (
    select distinct list_date, previous_date
    from past_lists
),

rules as (
    select
        p.*,
        coalesce(b.selected, false) as was_listed,
        p.legacy_place <= p.places as by_legacy,
        coalesce(p.legacy_flag, false) as by_flag
    from placed as p
    join previous using (list_date)
    left join screening.ranking as b on b.reference_date = previous.previous_date and b.child_key = p.child_key
)

select
    list_date,
    child_key,
    band,
    unnest(
        list_filter(
            [
                'cohort',
                case when selected then 'list' end,
                case when by_legacy then 'legacy' end,
                case when is_counted and count_place <= places then 'count' end,
                case when was_listed then 'last_term' end,
                case when by_flag then 'legacy_flag' end,
                case when selected and by_flag then 'both' end,
                -- of whom the old rule knows too little is on neither side
                case when selected and not legacy_flag then 'only_list' end,
                case when by_flag and not selected then 'only_legacy' end,
                case when selected and by_legacy then 'equal_both' end,
                case when selected and not by_legacy then 'equal_only_list' end,
                case when by_legacy and not selected then 'equal_only_legacy' end
            ],
            lambda rule: rule is not null
        )
    ) as rule,
    was_known,
    first_received_on,
    is_bred,
    seen_until,
    household_id
from rules;

create or replace temp table new_backtest as
with outcomes as (
    select
        p.list_date,
        p.version,
        p.is_pooled,
        p.horizon_months,
        r.rule,
        r.band,
        r.household_id,
        r.was_known,
        not r.was_known and coalesce(r.first_received_on <= p.until, false) as is_consulted,
        r.is_bred,
        not r.was_known and (is_consulted or coalesce(r.seen_until >= p.until, false)) as is_followed
    from rule_lists as r
    join past_lists as p using (list_date)
),

lists as (
    select * exclude (is_pooled)
    from outcomes
    union all by name
    select * exclude (list_date, version, is_pooled)
    from outcomes
    where is_pooled
),

-- Siblings, and the same children on the lists of several years, are of one household.
of_households as (
    select
        version,
        list_date,
        horizon_months,
        rule,
        band,
        household_id,
        count(*) as listed,
        count(*) filter (was_known) as known_before,
        count(*) filter (is_followed) as followed,
        count(*) filter (not was_known and not is_followed) as censored,
        count(*) filter (is_consulted and not is_bred) as first_consultations,
        count(*) filter (is_consulted and is_bred) as bred
    from lists
    group by version, list_date, horizon_months, rule, household_id, cube(band)
),

counted as (
    select
        version,
        list_date,
        horizon_months,
        rule,
        band,
        sum(listed) as all_listed,
        sum(known_before) as all_known_before,
        sum(followed) as all_followed,
        sum(censored) as all_censored,
        sum(first_consultations) as all_consulted,
        sum(bred) as all_bred,
        all_consulted / nullif(all_followed, 0) as rate,
        count(*) filter (followed > 0) as households,
        sum(followed ^ 2) as sizes,
        sum(followed * first_consultations) as products,
        sum(first_consultations ^ 2) as squares
    from of_households
    group by version, list_date, horizon_months, rule, band
),

clustered as (
    select
        *,
        effective_number(rate, all_followed, households, sizes, products, squares) as effective
    from counted
)

select
    $reference_date::date as reference_date,
    version,
    list_date,
    horizon_months,
    rule,
    band,
    all_listed::integer as listed,
    all_known_before::integer as known_before,
    all_followed::integer as followed,
    all_censored::integer as censored,
    all_consulted::integer as first_consultations,
    all_bred::integer as bred,
    rate,
    wilson_low(rate, effective) as low,
    wilson_high(rate, effective) as high
from clustered;
