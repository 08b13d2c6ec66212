-- What every office's items need: who is in whose household, whose number is whose, what is in doubt, and the three
-- kinds of evidence that the office files collect.

-- Whether a row is active at the reference date: NULL where its end cannot be read.
create or replace temp macro active(started, ended, end_is_invalid) as
    case
        when coalesce(started > getvariable('reference_date'), false) then false
        when end_is_invalid then null
        else coalesce(ended > getvariable('reference_date'), true)
    end;

-- A row dated after the reference date is never used; a blank date is.
create or replace temp macro not_after(happened) as coalesce(happened <= getvariable('reference_date'), true);

-- The April that begins the fiscal year (年度) of a day.
create or replace temp macro fiscal_year_of(day) as year(day) - (month(day) < 4)::integer;

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

-- People with a quarantined row: an exact duplicate takes nothing away, every other one leaves a doubt.
create or replace temp table doubted as
select distinct
    table_name,
    person_ref as resident_id
from delivered_quarantine
where
    scope = 'row'
    and reason <> 'duplicate_row'
    and person_ref is not null;

-- Evidence. A NULL value is a blank cell; a NULL in `applies` is a doubt.
create or replace temp table numbers (child_key varchar, item varchar, value double);
create or replace temp table coded (child_key varchar, item varchar, code varchar);
create or replace temp table facts (child_key varchar, item varchar, applies boolean, level varchar);
create or replace temp table doubts (child_key varchar, item varchar);
