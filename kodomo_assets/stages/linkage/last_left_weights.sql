-- The last pairs left with the weights and the probability that Splink would give them, so that they stand in the review
-- like every other pair. {levels} are the comparisons'; what has a blank side says nothing for or against.
insert into new_review by name
with levels as (
    select
        person_ref,
        child_key,
        {levels}
    from last_left_asked
),

weighed as (
    select
        l.*,
        coalesce(n.weight, 0) as weight_name,
        coalesce(b.weight, 0) as weight_birth,
        coalesce(x.weight, 0) as weight_sex,
        coalesce(c.weight, 0) as weight_school
    from levels as l
    left join new_model as n on n.comparison = 'name' and n.level = l.level_name
    left join new_model as b on b.comparison = 'birth' and b.level = l.level_birth
    left join new_model as x on x.comparison = 'sex' and x.level = l.level_sex
    left join new_model as c on c.comparison = 'school' and c.level = l.level_school
),

odds as (
    select
        *,
        prior / (1 - prior) * pow(2, weight_name + weight_birth + weight_sex + weight_school) as odds
    from weighed
    cross join (select any_value(prior) as prior from new_model)
)

select
    $reference_date::date as reference_date,
    'school_roster' as table_name,
    person_ref,
    child_key,
    odds / (1 + odds) as probability,
    columns('^(level|weight)_.*$'),
    'last_left' as asked_because
from odds;
