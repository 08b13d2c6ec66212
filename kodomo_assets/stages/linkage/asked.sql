-- What was ever asked at this reference date: nothing leaves it, whatever the next refresh asks. The first edition kept no
-- such history, so what it asked last is taken over before linkage.review is replaced.
create or replace temp table new_asked as
with asked_now as (
    select
        table_name,
        person_ref,
        child_key
    from new_review
    union
    select
        table_name,
        person_ref,
        child_key
    from linkage.review
    where reference_date = $reference_date
),

known as (
    select *
    from linkage.asked
    where reference_date = $reference_date
)

select *
from known
union all by name
select
    $reference_date::date as reference_date,
    table_name,
    person_ref,
    child_key,
    now() as asked_at
from asked_now
anti join known using (table_name, person_ref, child_key);
