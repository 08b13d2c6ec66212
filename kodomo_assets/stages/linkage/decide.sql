-- Which of the scored `pairs` link, which a person must answer, and which say nothing (method §3).
create or replace temp table candidates as
with open_pairs as (
    select
        u.table_name,
        u.person_ref,
        u.batch,
        pairs.* exclude (person)
    from pairs
    join undecided as u on record_of(u.table_name, u.person_ref) = pairs.person
    anti join taken as t on t.batch = u.batch and t.child_key = pairs.child_key
    anti join answered_different as d
        on
            d.table_name = u.table_name
            and d.person_ref = u.person_ref
            and d.child_key = pairs.child_key
)

select
    *,
    probability - coalesce(
        -- the best of the other candidates
        max(probability) over (
            partition by table_name, person_ref
            order by probability desc, child_key
            rows between 1 following and unbounded following
        ),
        0
    ) as lead_over_children,
    row_number() over (partition by table_name, person_ref order by probability desc, child_key) as place_of_child,
    -- records are many to one child, numbers of one delivery of the roster are not
    probability - coalesce(
        max(probability) over (
            partition by batch, child_key
            order by probability desc, person_ref
            rows between 1 following and unbounded following
        ),
        0
    ) as lead_over_numbers,
    row_number() over (partition by batch, child_key order by probability desc, person_ref) as place_of_number
from open_pairs;

create or replace temp table newly_linked as
select *
from candidates
where
    probability >= $link_probability
    and level_name <> 'other'
    and level_sex <> 'other'
    -- twins are never swapped: of two that come this close to one another none is taken
    and place_of_child = 1
    and lead_over_children > $twin_margin
    and (
        batch is null
        or (place_of_number = 1 and lead_over_numbers > $twin_margin)
    );

insert into linked
select
    table_name,
    person_ref,
    batch,
    child_key,
    'splink' as method,
    probability
from newly_linked;

create or replace temp table new_review as
select
    $reference_date::date as reference_date,
    c.table_name,
    c.person_ref,
    c.child_key,
    c.probability,
    columns('^(level|weight)_.*$')
from candidates as c
anti join newly_linked as l using (table_name, person_ref)
-- a number that was just linked has its child to itself
anti join taken as t on t.batch = c.batch and t.child_key = c.child_key
where c.probability >= $review_probability;

create or replace temp table new_links as
select
    $reference_date::date as reference_date,
    table_name,
    person_ref,
    child_key,
    method,
    probability
from linked;
