-- What every office's items need: who is in whose household, whose number is whose, what a row may say that cannot be
-- read whole, and the kinds of evidence that the office files collect.

-- Whether a row is surely active at the reference date; one whose end cannot be read is not.
create or replace temp macro active(started, ended, end_is_invalid) as (
    coalesce(started <= getvariable('reference_date'), true)
    and not end_is_invalid
    and coalesce(ended > getvariable('reference_date'), true)
);

-- A row dated after the reference date is never used; a blank date is.
create or replace temp macro not_after(happened) as coalesce(happened <= getvariable('reference_date'), true);

-- What an unclear row (matrix.py) may say: a cell that cannot be read may hold anything, every other one what it holds.
create or replace temp macro may_be(unread, cell, condition) as (
    list_contains(unread, cell) or coalesce(condition, false)
);
create or replace temp macro may_be_active(unread, start_cell, started, end_cell, ended) as (
    may_be(unread, start_cell, coalesce(started <= getvariable('reference_date'), true))
    and may_be(unread, end_cell, coalesce(ended > getvariable('reference_date'), true))
);

create or replace temp table spine as
select
    c.child_key,
    c.resident_id,
    c.band,
    c.household_id,
    r.is_facility,
    r.relationship
from linkage.children as c
join linkage.residents as r using (reference_date, resident_id)
where c.reference_date = getvariable('reference_date');

create or replace temp table household_members as
select
    s.child_key,
    r.resident_id,
    r.resident_id = s.resident_id as is_child,
    r.relationship,
    r.legal_age
from spine as s
join linkage.residents as r using (household_id)
where r.reference_date = getvariable('reference_date');

-- All numbers that a child ever had.
create or replace temp table pupils as
select
    child_key,
    person_ref as pupil_id
from linkage.links
where
    reference_date = getvariable('reference_date')
    and table_name = 'school_roster';

-- Persons whose row of the register was rejected although its 世帯番号 can be read: members that the household lacks.
create or replace temp table unclear_members as
select
    s.child_key,
    s.relationship as child_relationship,
    u.*
from spine as s
join unclear_resident_register as u using (household_id)
where
    u.is_rejected
    and not s.is_facility
    and u.person_ref is distinct from s.resident_id
    and may_be(u.unread, 'removed_on', coalesce(u.removed_on > getvariable('reference_date'), true));

-- Evidence. A NULL value is a blank cell; a NULL in `applies` is a doubt. `dated_on` is the first day of the rows that
-- say so: of a month its first, NULL where nothing dates what they say (a household as it is, arrears of a whole 年度).
create or replace temp table numbers (child_key varchar, item varchar, value double, dated_on date);
create or replace temp table coded (child_key varchar, item varchar, code varchar, dated_on date);
create or replace temp table facts (child_key varchar, item varchar, applies boolean, level varchar, dated_on date);
create or replace temp table doubts (child_key varchar, item varchar);
