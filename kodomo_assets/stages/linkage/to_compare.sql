-- What Splink is given: who is left, who is learnt from, and the children; one record each (probabilistic.py).
create or replace temp macro record_of(table_name, person_ref) as table_name || '/' || person_ref;

-- Whoever has a name and a birth date; a number that is not on the spine is somebody else's.
create or replace temp view comparable as
from persons
where
    kana is not null
    and birth_date is not null
    and resident_id is null;

-- Folding names is dear, so only those who are compared or learnt from are folded.
create or replace temp macro records(chosen) as table (
    select
        record_of(table_name, person_ref) as record,
        kana,
        fold(name_kana) as folded,
        plain(name_kana) as plain,
        plain(family_part(name_kana)) as family,
        plain(given_part(name_kana)) as given,
        birth_date,
        strftime(birth_date, '%Y%m%d') as birth_digits,
        sex,
        -- the school of an older roster says nothing about the school of now
        case when in_force then school_code end as school_code
    from query_table(chosen)
);

-- A sample of the roster in force, by hash: one person more or less changes one of its members.
create or replace temp table learners as
select *
from comparable
where table_name = 'school_roster' and in_force
order by md5(record_of(table_name, person_ref))
limit $sampled_persons;

create or replace temp table to_learn_from as
from records('learners')
where folded is not null;

-- Somebody who moved away, or is too young or too old for school, is no child of the spine with a slip in the name.
create or replace temp table known_elsewhere as
select distinct
    kana_key(r.name_kana) as kana,
    r.birth_date
from delivered_resident_register as r
anti join named_children using (resident_id)
-- whoever was born on no day of theirs is nobody's double
semi join comparable using (birth_date);

create or replace temp table left_over as
select c.*
from comparable as c
semi join undecided as u using (table_name, person_ref)
anti join known_elsewhere as k using (kana, birth_date);

create or replace temp table to_compare as
from records('left_over')
where folded is not null;

-- Named by 宛名番号: a child_key is another one under another key, and so would be the sample and every sum.
create or replace temp view children_to_compare as
select
    resident_id as record,
    kana,
    folded,
    plain,
    family,
    given,
    birth_date,
    strftime(birth_date, '%Y%m%d') as birth_digits,
    sex,
    school_code
from named_children
where folded is not null;
