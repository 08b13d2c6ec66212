-- Whom the list selects, finds and misses, group by group against all others (method §6). Reads the temp table
-- fairness_items (fairness.py) and the macros of intervals.sql.

create or replace temp table fairness_children as
select
    r.child_key,
    r.weights_version as version,
    r.school_code,
    r.selected,
    coalesce(l.counted_before, l.known_before, false) as has_record
from screening.ranking as r
left join features.labels as l using (reference_date, child_key)
where r.reference_date = $reference_date;

-- The group of each child, once for every attribute.
create or replace temp table fairness_members as
select
    i.attribute,
    l.child_key,
    case
        when bool_or(list_contains(i.own_levels, l.level)) then any_value(i.group_name)
        -- an item that is missing may say it too
        when bool_or(l.level in ('blank', 'no_record')) then $unknown
        else 'not_applicable'
    end as group_name
from features.levels as l
join fairness_items as i using (item)
semi join fairness_children as c on c.child_key = l.child_key
where l.reference_date = $reference_date
group by i.attribute, l.child_key
union all
select
    $school as attribute,
    child_key,
    school_code as group_name
from fairness_children;

create or replace temp table new_fairness as
with weighed as (
    select
        i.attribute,
        bool_or(w.weight > 0) as raises,
        bool_or(w.weight < 0) as lowers
    from fairness_items as i
    join weights.coefficients as w on w.item = i.item and list_contains(i.own_levels, w.level) and w.weight <> 0
    where w.version in (select c.version from fairness_children as c)
    group by i.attribute
),

counted as (
    select
        c.version,
        m.attribute,
        m.group_name,
        count(*) as children,
        count(*) filter (c.selected) as selected,
        count(*) filter (c.has_record) as events,
        count(*) filter (c.selected and c.has_record) as found
    from fairness_members as m
    join fairness_children as c using (child_key)
    group by c.version, m.attribute, m.group_name
),

beside as (
    select
        *,
        children < $suppress_below as suppressed,
        sum(children) over attributes - children as others,
        sum(selected) over attributes - selected as others_selected,
        -- the difference to few others would tell their rate
        suppressed or others < $suppress_below as incomparable,
        selected / children as rate,
        others_selected / nullif(others, 0) as rate_of_others,
        found / nullif(selected, 0) as precise,
        (events - found) / nullif(events, 0) as missed,
        (selected - found) / nullif(children - events, 0) as wrongly
    from counted
    window attributes as (partition by version, attribute)
)

select
    $reference_date::date as reference_date,
    version,
    attribute,
    group_name,
    children::integer as children,
    selected::integer as selected,
    events::integer as events,
    (children - events)::integer as without_record,
    case when not suppressed then rate end as selection_rate,
    case when not suppressed then wilson_low(rate, children) end as low,
    case when not suppressed then wilson_high(rate, children) end as high,
    case when not incomparable then rate - rate_of_others end as difference,
    case when not incomparable then newcombe_low(rate, children, rate_of_others, others) end as difference_low,
    case when not incomparable then newcombe_high(rate, children, rate_of_others, others) end as difference_high,
    case when not incomparable then rate / nullif(rate_of_others, 0) end as ratio,
    case when not suppressed then precise end as precision,
    case when not suppressed then wilson_low(precise, selected) end as precision_low,
    case when not suppressed then wilson_high(precise, selected) end as precision_high,
    case when not suppressed then missed end as false_negative_rate,
    case when not suppressed then wilson_low(missed, events) end as false_negative_low,
    case when not suppressed then wilson_high(missed, events) end as false_negative_high,
    case when not suppressed then wrongly end as false_positive_rate,
    suppressed,
    -- what the weights do is no more than what they push, and that an item is missing is no doing of theirs
    coalesce(
        group_name <> $unknown
        and case
            when rate = rate_of_others then raises or lowers
            when (rate > rate_of_others) = (group_name <> 'not_applicable') then raises
            else lowers
        end,
        false
    ) as is_weighed
from beside
left join weighed using (attribute);
