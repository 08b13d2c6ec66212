-- From evidence to one level a child and item: an own level beats a doubt, a doubt beats 非該当, 非該当 beats a blank cell.
create or replace temp table levels_found as
with evidence as (
    select
        n.child_key,
        n.item,
        coalesce(arg_max(t.level, t.position), case when n.value is null then 'blank' else 'not_applicable' end) as level,
        coalesce(10 + max(t.position), case when n.value is null then 1 else 3 end) as strength,
        n.dated_on
    from numbers as n
    left join item_thresholds as t
        on
            t.item = n.item
            and case t.comparison
                when 'at_least' then n.value >= t.value
                when 'at_most' then n.value <= t.value
                else n.value < t.value
            end
    group by n.child_key, n.item, n.value, n.dated_on

    union all

    select
        c.child_key,
        c.item,
        coalesce(k.level, case when c.code is null then 'blank' else 'not_applicable' end),
        coalesce(10 + k.position, case when c.code is null then 1 else 3 end),
        c.dated_on
    from coded as c
    left join item_codes as k using (item, code)

    union all

    select
        child_key,
        item,
        case when applies then level when applies is null then 'blank' else 'not_applicable' end,
        case when applies then 10 when applies is null then 5 else 3 end,
        dated_on
    from facts

    union all

    select
        child_key,
        item,
        'blank',
        5,
        null
    from doubts
)

select
    child_key,
    item,
    arg_max(level, strength) as level,
    case
        when max(strength) >= 10 then 'found'
        when max(strength) = 5 then 'doubt'
        when max(strength) = 3 then 'said_not'
        else 'blank_cell'
    end as cause,
    -- whatever of it bears no date may be older than all the rest
    case when bool_and(dated_on is not null) filter (strength >= 10) then min(dated_on) filter (strength >= 10) end
        as evidence_on
from evidence
group by child_key, item;

-- Whoever stands in no row of a complete table is 非該当, of a partial one 欠損.
create or replace temp table new_levels as
with causes as (
    select
        s.child_key,
        i.item,
        i.partial,
        l.level,
        l.evidence_on,
        case
            when not list_contains(i.bands, s.band) then 'other_band'
            when not i.delivered then 'undelivered'
            else coalesce(l.cause, 'no_row')
        end as cause
    from spine as s
    cross join matrix_items as i
    left join levels_found as l using (child_key, item)
)

select
    getvariable('reference_date') as reference_date,
    child_key,
    item,
    case
        when cause = 'undelivered' or (cause = 'no_row' and partial) then 'no_record'
        when cause in ('other_band', 'no_row') then 'not_applicable'
        else level
    end as level,
    cause,
    case when cause = 'found' then evidence_on end as evidence_on
from causes;
