-- The last pair left: one child and one 学籍番号 of the delivery in force that agree in birth date, sex and school and
-- that no rule linked. A person is asked whatever their names (a foreign name without its middle name, in another order,
-- with an alias, cut off, or none at all), up to a share of the school's numbers: where more are left, the names of the
-- school cannot be compared, and nobody is asked.
create or replace temp table last_left as
with numbers_left as (
    select
        u.person_ref,
        u.birth_date,
        u.sex,
        u.school_code
    from undecided as u
    -- whoever is known to live elsewhere, or to be too young or too old, is no child of the spine
    anti join known_elsewhere using (kana, birth_date)
    where u.table_name = 'school_roster' and u.in_force
),

with_number as (
    select
        l.child_key,
        stood.delivered_on
    from linked as l
    join stood using (person_ref)
    where l.table_name = 'school_roster'
),

children_left as (
    select s.*
    from named_children as s
    anti join (
        select w.child_key
        from with_number as w
        join delivered as d on d.table_name = 'school_roster' and d.delivered_on = w.delivered_on
    ) using (child_key)
),

pairs_left as (
    select
        n.person_ref,
        c.child_key,
        n.school_code
    from numbers_left as n
    -- what is blank equals nothing
    join children_left as c using (birth_date, sex, school_code)
    anti join answered_different as d
        on
            d.table_name = 'school_roster'
            and d.person_ref = n.person_ref
            and d.child_key = c.child_key
    -- two numbers that stood in one delivery are two children
    where
        not exists (
            from with_number as w
            join stood as mine on mine.delivered_on = w.delivered_on
            where w.child_key = c.child_key and mine.person_ref = n.person_ref
        )
    qualify
        count(*) over (partition by n.person_ref) = 1
        and count(*) over (partition by c.child_key) = 1
)

select p.*
from pairs_left as p
-- that they are asked by their probability already
anti join new_review as r
    on
        r.table_name = 'school_roster'
        and r.person_ref = p.person_ref
        and r.child_key = p.child_key;

-- How many are left per school, and how many of them a person may be asked: one at least, or a school of forty
-- children would never be asked about anybody.
create or replace temp table last_left_of_school as
with numbers as (
    select
        school_code,
        count(*)::integer as numbers
    from persons
    where table_name = 'school_roster' and in_force
    group by school_code
)

select
    school_code,
    any_value(n.numbers) as numbers,
    count(*)::integer as pairs_left,
    pairs_left <= case
        when $max_asked_share > 0
            then greatest(1, floor(any_value(n.numbers) * $max_asked_share::decimal(9, 6)))
        else 0
    end as is_asked
from last_left
join numbers as n using (school_code)
group by school_code;

create or replace temp table last_left_asked as
select
    l.person_ref,
    l.child_key,
    p.kana as kana_l,
    fold(p.name_kana) as folded_l,
    plain(p.name_kana) as plain_l,
    plain(family_part(p.name_kana)) as family_l,
    plain(given_part(p.name_kana)) as given_l,
    p.birth_date as birth_date_l,
    strftime(p.birth_date, '%Y%m%d') as birth_digits_l,
    p.sex as sex_l,
    p.school_code as school_code_l,
    s.kana as kana_r,
    s.folded as folded_r,
    s.plain as plain_r,
    s.family as family_r,
    s.given as given_r,
    s.birth_date as birth_date_r,
    strftime(s.birth_date, '%Y%m%d') as birth_digits_r,
    s.sex as sex_r,
    s.school_code as school_code_r
from last_left as l
semi join (from last_left_of_school where is_asked) using (school_code)
join persons as p on p.table_name = 'school_roster' and p.person_ref = l.person_ref
join named_children as s using (child_key);
