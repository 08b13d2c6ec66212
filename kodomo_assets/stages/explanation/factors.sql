-- What moves a score, and the items beside it that apply or are missing, in words, with the delivery behind each.
-- Reads the temp tables that factors.py and deliveries.sql make (explained, factor_items, factor_levels, pupil_files).

create or replace temp table new_factors as
with levels as (
    select
        l.child_key,
        l.item,
        l.level
    from features.levels as l
    semi join explained using (child_key)
    where l.reference_date = $reference_date
),

contributions as (
    select
        child_key,
        item,
        level,
        contribution
    from screening.contributions
    where reference_date = $reference_date
),

-- Items beside the model move nothing.
factors as (
    select
        coalesce(s.child_key, l.child_key) as child_key,
        coalesce(s.item, l.item) as item,
        coalesce(s.level, l.level) as level,
        s.child_key is not null as is_scored,
        coalesce(s.contribution, 0) as contribution
    from levels as l
    full join contributions as s using (child_key, item)
)

select
    $reference_date::date as reference_date,
    f.child_key,
    f.item,
    i.item_ja,
    f.level,
    coalesce(v.level_ja, w.level_ja, f.level) as level_ja,
    f.contribution,
    case sign(f.contribution) when 1 then 'raises' when -1 then 'lowers' else 'none' end as direction,
    i.source_table,
    i.tables_ja,
    i.delivered_on,
    -- of several files of schools the one in which the child stands
    coalesce(p.file, i.file) as file,
    coalesce(p.sha256, i.sha256) as sha256,
    $made_by as made_by
from factors as f
join explained as c using (child_key)
-- what no item is called by is no factor: those of fairness are left out
join factor_items as i using (item)
left join factor_levels as v using (item, level)
left join factor_levels as w on w.item is null and w.level = f.level
left join pupil_files as p on p.child_key = f.child_key and p.table_name = i.source_table
where
    -- an item of the other band says nothing about this child
    list_contains(i.bands, c.band)
    and (f.is_scored or f.level <> 'not_applicable');
