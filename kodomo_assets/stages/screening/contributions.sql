-- What raises and lowers a child's score, by its levels and the weights of its band (method §6). Reads the temp tables
-- model_levels, model_items and model_tables (scoring.py), screened_children and child_levels (child_levels.sql).
create or replace temp table new_contributions as
with item_levels as (
    select
        l.child_key,
        l.band,
        l.item,
        l.level,
        m.first_table,
        m.mean_weight
    from child_levels as l
    join model_items as m using (band, item)
),

-- A child has no record in a table when any item of the model whose first table it is says so.
table_levels as (
    select
        l.child_key,
        l.band,
        m.item,
        case when bool_or(l.level = 'no_record') then 'no_record' else 'recorded' end as level,
        any_value(m.mean_weight) as mean_weight
    from item_levels as l
    join model_tables as m on m.band = l.band and m.item = 'table:' || l.first_table
    group by l.child_key, l.band, m.item
),

levels as (
    select child_key, band, item, level, mean_weight
    from item_levels
    union all by name
    from table_levels
)

select
    $reference_date::date as reference_date,
    l.child_key,
    l.item,
    l.level,
    case
        -- a missing level that no fitted child was on; an own one weighs what the levels weigh that it joined
        when w.children = 0 and l.level in ('blank', 'no_record') then 0
        when w.children >= 0 then w.weight - l.mean_weight
        -- the coefficients hold no row of a missing level that stands on the reference
        when l.level in ('blank', 'no_record', 'recorded') then -l.mean_weight
        else 0
    end::double as contribution
from levels as l
left join model_levels as w using (band, item, level)
union all
select
    $reference_date::date as reference_date,
    c.child_key,
    '(base)' as item,
    '(base)' as level,
    w.weight as contribution
from screened_children as c
join model_levels as w on w.band = c.band and w.item = '(base)';
