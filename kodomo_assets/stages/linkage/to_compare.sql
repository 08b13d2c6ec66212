-- What Splink is given: who is left, who is learnt from, and the children; one record each (probabilistic.py).
create or replace temp macro record_of(table_name, person_ref) as table_name || '/' || person_ref;

create or replace temp view comparable_persons as
select
    record_of(table_name, person_ref) as record,
    kana,
    folded,
    plain,
    family,
    given,
    birth_date,
    strftime(birth_date, '%Y%m%d') as birth_digits,
    sex,
    school_code,
    table_name,
    person_ref,
    in_force
from persons
where
    folded is not null
    and birth_date is not null
    -- a number that is not on the spine is somebody else's
    and resident_id is null;

create or replace temp view to_learn_from as
from comparable_persons
where table_name = 'school_roster' and in_force;

-- Somebody who moved away, or is too young or too old for school, is no child of the spine with a slip in the name.
create or replace temp table known_elsewhere as
select distinct
    kana_key(r.name_kana) as kana,
    r.birth_date
from delivered_resident_register as r
anti join spine using (resident_id);

create or replace temp view to_compare as
select c.*
from comparable_persons as c
semi join undecided as u using (table_name, person_ref)
anti join known_elsewhere as k using (kana, birth_date);

create or replace temp view children_to_compare as
select
    child_key as record,
    kana,
    folded,
    plain,
    family,
    given,
    birth_date,
    strftime(birth_date, '%Y%m%d') as birth_digits,
    sex,
    school_code
from spine
where folded is not null;
