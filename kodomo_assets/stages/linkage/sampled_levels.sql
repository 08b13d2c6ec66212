-- Shares of the levels among pairs taken at random, nearly all of which are two children: u. {levels} and {names} are
-- the comparisons'. The sample is chosen by hash, so that one record more or less changes one of its members.
with persons_sampled as (
    select *
    from to_learn_from
    order by md5('u' || record)
    limit $persons
),

children_sampled as (
    select *
    from children_to_compare
    order by md5('u' || record)
    limit $children
),

aside as (
    select
        p.kana as kana_l,
        p.folded as folded_l,
        p.plain as plain_l,
        p.family as family_l,
        p.given as given_l,
        p.birth_date as birth_date_l,
        p.birth_digits as birth_digits_l,
        p.sex as sex_l,
        p.school_code as school_code_l,
        c.kana as kana_r,
        c.folded as folded_r,
        c.plain as plain_r,
        c.family as family_r,
        c.given as given_r,
        c.birth_date as birth_date_r,
        c.birth_digits as birth_digits_r,
        c.sex as sex_r,
        c.school_code as school_code_r
    from persons_sampled as p
    cross join children_sampled as c
),

levels as (
    select {levels}
    from aside
),

counted as (
    select
        comparison,
        level,
        count(*) as pairs
    from (unpivot levels on {names} into name comparison value level)
    group by comparison, level
)

select
    comparison,
    level,
    pairs / sum(pairs) over (partition by comparison) as share
from counted
order by all
