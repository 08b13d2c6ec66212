-- The list against the one before, child by child: what the weights changed of a score (another version, another band) and
-- what the child's own data did. Reads the temp table rescored; $previous_date NULL: there is no list before.
create or replace temp table new_list_changes as
with pairs as (
    select
        coalesce(n.child_key, p.child_key) as child_key,
        coalesce(n.band, p.band) as band,
        n.child_key is not null as is_ranked,
        coalesce(n.selected, false) as is_listed,
        coalesce(p.selected, false) as was_listed,
        n.score,
        p.score as score_before
    from (from screening.ranking where reference_date = $reference_date) as n
    full join (
        from screening.ranking
        -- who is stopped since is no change of the list
        anti join rights.stops_in_force using (child_key)
        where reference_date = $previous_date
    ) as p using (child_key)
    where $previous_date is not null and (is_listed or was_listed)
),

-- the item whose contribution moved most, whatever moved it
moved as (
    select
        coalesce(n.child_key, p.child_key) as child_key,
        coalesce(n.item, p.item) as item,
        coalesce(n.contribution, 0) - coalesce(p.contribution, 0) as moved_by
    from (from screening.contributions where reference_date = $reference_date) as n
    full join (from screening.contributions where reference_date = $previous_date) as p using (child_key, item)
    semi join (select child_key from pairs where is_ranked and score_before is not null) as b
        on b.child_key = coalesce(n.child_key, p.child_key)
    where coalesce(n.item, p.item) <> '(base)'
),

strongest as (
    select child_key, arg_min(item, (-round(abs(moved_by), 12), item)) as item
    from moved
    where abs(moved_by) > 1e-12
    group by child_key
)

select
    $reference_date::date as reference_date,
    $previous_date::date as previous_date,
    c.child_key,
    c.band,
    case
        when not c.is_ranked then 'not_screened'
        when c.is_listed and c.was_listed then 'stayed'
        when c.is_listed then 'entered'
        else 'left'
    end as change,
    c.score - c.score_before as score_change,
    r.score - c.score_before as by_weights,
    c.score - r.score as by_child,
    s.item as strongest_item
from pairs as c
left join rescored as r using (child_key)
left join strongest as s using (child_key);
