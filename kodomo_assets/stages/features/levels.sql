-- From evidence to one level a child and item: an own level beats a doubt, a doubt beats 非該当, 非該当 beats a blank cell.
-- Said as one number, strength and level, and collected once: of a large city aggregates of texts, and one aggregate upon
-- another, take more memory than there is.
create or replace temp macro stated(strength, level) as (
    case
        when level is not null
            then
                strength * 1000
                + coalesce(
                    list_position(getvariable('known_levels'), level), error('items.yaml has no level ' || level)
                )
    end
)::integer;
create or replace temp macro strength_of(evidence) as evidence // 1000;
create or replace temp macro level_of(evidence) as (getvariable('known_levels'))[evidence % 1000];

create or replace temp table levels_found as
with evidence as (
    select
        n.child_key,
        n.item,
        coalesce(
            stated(10 + t.position, t.level),
            case when n.value is null then stated(1, 'blank') else stated(3, 'not_applicable') end
        ) as said,
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

    union all

    select
        c.child_key,
        c.item,
        coalesce(
            stated(10 + k.position, k.level),
            case when c.code is null then stated(1, 'blank') else stated(3, 'not_applicable') end
        ),
        c.dated_on
    from coded as c
    left join item_codes as k using (item, code)

    union all

    select
        child_key,
        item,
        case
            when applies then stated(10, coalesce(level, '(none)'))
            when applies is null then stated(5, 'blank')
            else stated(3, 'not_applicable')
        end,
        dated_on
    from facts

    union all

    select
        child_key,
        item,
        stated(5, 'blank'),
        null
    from doubts
),

strongest as (
    select
        child_key,
        item,
        max(said) as said,
        -- whatever of it bears no date may be older than all the rest
        case
            when bool_and(dated_on is not null) filter (strength_of(said) >= 10)
                then min(dated_on) filter (strength_of(said) >= 10)
        end as evidence_on
    from evidence
    group by child_key, item
)

select
    child_key,
    item,
    level_of(said) as level,
    case
        when strength_of(said) >= 10 then 'found'
        when strength_of(said) = 5 then 'doubt'
        when strength_of(said) = 3 then 'said_not'
        else 'blank_cell'
    end as cause,
    evidence_on
from strongest;

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
