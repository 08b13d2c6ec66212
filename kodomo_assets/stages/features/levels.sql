-- From evidence to one level: an own level beats a doubt, a doubt beats 非該当, 非該当 beats a blank cell.
create or replace temp table child_levels as
with evidence as (
    select
        n.child_key,
        n.item,
        coalesce(arg_max(t.level, t.position), case when n.value is null then 'blank' else 'not_applicable' end) as level,
        coalesce(10 + max(t.position), case when n.value is null then 1 else 3 end) as strength
    from numbers as n
    left join item_thresholds as t
        on
            t.item = n.item
            and case t.comparison
                when 'at_least' then n.value >= t.value
                when 'at_most' then n.value <= t.value
                else n.value < t.value
            end
    group by n.child_key, n.item, n.value

    union all

    select
        c.child_key,
        c.item,
        coalesce(k.level, case when c.code is null then 'blank' else 'not_applicable' end),
        coalesce(10 + k.position, case when c.code is null then 1 else 3 end)
    from coded as c
    left join item_codes as k using (item, code)

    union all

    select
        child_key,
        item,
        case when applies then level when applies is null then 'blank' else 'not_applicable' end,
        case when applies then 10 when applies is null then 5 else 3 end
    from facts

    union all

    select
        child_key,
        item,
        'blank',
        5
    from doubts
)

select
    child_key,
    item,
    arg_max(level, strength) as level
from evidence
group by child_key, item;
