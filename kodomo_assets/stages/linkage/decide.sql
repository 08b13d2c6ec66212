-- Which of the scored `pairs` link, which a person must answer, and which say nothing (method §3).
create or replace temp table open_pairs as
with of_undecided as (
    select
        u.table_name,
        u.person_ref,
        u.batch,
        c.folded,
        c.plain,
        u.birth_date,
        s.child_key,
        pairs.* exclude (person, child)
    from pairs
    join to_compare as c on c.record = pairs.person
    join named_children as s on s.resident_id = pairs.child
    join undecided as u on record_of(u.table_name, u.person_ref) = pairs.person
    anti join answered_different as d
        on
            d.table_name = u.table_name
            and d.person_ref = u.person_ref
            and d.child_key = s.child_key
)

select *
from of_undecided as o
where
    o.table_name <> 'school_roster'
    -- another number of the child stood in the same delivery
    or not exists (
        from linked as l
        join stood as theirs on theirs.person_ref = l.person_ref
        join stood as mine on mine.delivered_on = theirs.delivered_on
        where
            l.table_name = 'school_roster'
            and l.child_key = o.child_key
            and mine.person_ref = o.person_ref
    );

-- Somebody who moved away, or is too young or too old for school, and is as near to the person as the child is. An
-- automatic link would give the child what is somebody else's; a person may know.
create or replace temp table nearer_elsewhere as
with elsewhere as (
    select distinct
        fold(r.name_kana) as folded,
        plain(r.name_kana) as plain,
        r.birth_date
    from delivered_resident_register as r
    anti join named_children using (resident_id)
    -- a birth date mistyped in two digits lies in another year of the same childhood
    where r.birth_date between $first_birth_date - interval 3 years and $last_birth_date + interval 3 years
)

select
    o.table_name,
    o.person_ref,
    o.child_key
from open_pairs as o
join named_children as s using (child_key)
join elsewhere as e on e.birth_date = o.birth_date
where
    least(damerau_levenshtein(e.folded, o.folded), damerau_levenshtein(e.plain, o.plain))
    <= least(damerau_levenshtein(s.folded, o.folded), damerau_levenshtein(s.plain, o.plain))
union -- and no OR in one join, which would compare everybody with everybody
select
    o.table_name,
    o.person_ref,
    o.child_key
from open_pairs as o
join elsewhere as e using (folded)
where damerau_levenshtein(strftime(e.birth_date, '%Y%m%d'), strftime(o.birth_date, '%Y%m%d')) <= 2;

-- Numbers that want one child and stood in one delivery: each pair with the best of the others.
create or replace temp table rivals as
select
    o.person_ref,
    o.child_key,
    max(r.probability) as probability
from open_pairs as o
join open_pairs as r on r.child_key = o.child_key and r.person_ref <> o.person_ref
join stood as mine on mine.person_ref = o.person_ref
join stood as theirs on theirs.person_ref = r.person_ref and theirs.delivered_on = mine.delivered_on
where o.table_name = 'school_roster' and r.table_name = 'school_roster'
group by o.person_ref, o.child_key;

create or replace temp table candidates as
select
    o.*,
    o.probability - coalesce(
        -- the best of the other candidates
        max(o.probability) over (
            partition by o.table_name, o.person_ref
            order by o.probability desc, o.child_key
            rows between 1 following and unbounded following
        ),
        0
    ) as lead_over_children,
    row_number() over (
        partition by o.table_name, o.person_ref
        order by o.probability desc, o.child_key
    ) as place,
    o.probability - coalesce(r.probability, 0) as lead_over_numbers
from open_pairs as o
left join rivals as r
    on
        o.table_name = 'school_roster'
        and r.person_ref = o.person_ref
        and r.child_key = o.child_key;

create or replace temp table newly_linked as
select *
from candidates as c
where
    c.probability >= $link_probability
    -- two slips are as often another child's name as a slip of this one's; a given name alone is no name
    and c.level_name not in ('two_slips', 'other')
    and (c.level_name <> 'given' or c.level_school = 'same')
    and c.level_sex <> 'other'
    -- twins are never swapped: of two that come this close to one another none is taken
    and c.place = 1
    and c.lead_over_children > $twin_margin
    and c.lead_over_numbers > $twin_margin
    and not exists (
        from nearer_elsewhere as e
        where e.table_name = c.table_name and e.person_ref = c.person_ref and e.child_key = c.child_key
    )
    and not exists (
        from answered_not_yet as w
        where w.table_name = c.table_name and w.person_ref = c.person_ref
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
    columns('^(level|weight)_.*$'),
    'probability' as asked_because
from candidates as c
anti join newly_linked as l using (table_name, person_ref)
where
    c.probability >= $review_probability
    -- a number that was just linked has its child to itself
    and not exists (
        from newly_linked as l
        join stood as theirs on theirs.person_ref = l.person_ref
        join stood as mine on mine.delivered_on = theirs.delivered_on
        where
            l.table_name = 'school_roster'
            and c.table_name = 'school_roster'
            and l.child_key = c.child_key
            and mine.person_ref = c.person_ref
    );

create or replace temp table new_links as
select
    $reference_date::date as reference_date,
    table_name,
    person_ref,
    child_key,
    method,
    probability
from linked;
