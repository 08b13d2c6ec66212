-- What people answered in 名寄せ確認 up to the reference date: the newest answer on a pair counts, and of two children
-- that one person was said to be, or two numbers of one delivery that one child was said to have, the newer one. Two
-- that are equally new answer nothing: the pair goes to the review again.
create or replace temp table answers_in_force as
select *
from linkage.answers
where reference_date <= $reference_date
qualify
    row_number() over (
        partition by table_name, person_ref, child_key
        order by decided_on desc, reference_date desc, read_at desc
    ) = 1;

create or replace temp table answered_different as
select
    table_name,
    person_ref,
    child_key
from answers_in_force
where answer = 'different';

create or replace temp table answered_same as
with same as (
    select
        a.*,
        p.batch
    from answers_in_force as a
    join persons as p using (table_name, person_ref)
    semi join spine using (child_key)
    where a.answer = 'same'
),

of_person as (
    select *
    from same
    qualify
        rank() over (partition by table_name, person_ref order by decided_on desc, reference_date desc, read_at desc) = 1
)

select
    table_name,
    person_ref,
    batch,
    child_key
from of_person
window newest as (
    partition by batch, child_key
    order by decided_on desc, reference_date desc, read_at desc
)
qualify
    count(*) over (partition by table_name, person_ref) = 1
    and (
        batch is null
        or (
            rank() over newest = 1
            and count(*) over (partition by batch, child_key, decided_on, reference_date, read_at) = 1
        )
    );
