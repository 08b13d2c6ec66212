-- 障害者手帳, 障害児通所支援, 要介護認定, 妊娠届, 乳幼児健診, EPDS.

create or replace temp table certificates as
select
    m.child_key,
    m.is_child,
    d.issued_on,
    active(d.issued_on, d.returned_on, list_contains(d.invalid_cells, 'returned_on')) as is_active
from household_members as m
join delivered_disability_certificates as d using (resident_id);

insert into facts
select
    child_key,
    case when is_child then 'child_disability' else 'household_disability' end,
    is_active,
    'applicable',
    issued_on
from certificates;

insert into doubts
select
    m.child_key,
    case when m.is_child then 'child_disability' else 'household_disability' end
from household_members as m
join unclear_disability_certificates as u on u.person_ref = m.resident_id
where may_be_active(u.unread, 'issued_on', u.issued_on, 'returned_on', u.returned_on);

insert into facts
select
    s.child_key,
    'child_services',
    active(d.started_on, d.ended_on, list_contains(d.invalid_cells, 'ended_on')),
    'applicable',
    d.started_on
from spine as s
join delivered_disability_child_services as d using (resident_id);

insert into doubts
select
    s.child_key,
    'child_services'
from spine as s
join unclear_disability_child_services as u on u.person_ref = s.resident_id
where may_be_active(u.unread, 'started_on', u.started_on, 'ended_on', u.ended_on);

create or replace temp table care as
select
    m.child_key,
    c.care_level,
    c.certified_from,
    active(c.certified_from, c.certified_until, list_contains(c.invalid_cells, 'certified_until')) as is_active
from household_members as m
join delivered_care_certifications as c using (resident_id)
where not m.is_child;

insert into coded
select
    child_key,
    'household_care',
    care_level,
    certified_from
from care
where is_active;

insert into doubts
select
    m.child_key,
    'household_care'
from household_members as m
join unclear_care_certifications as u on u.person_ref = m.resident_id
where
    not m.is_child
    and may_be_active(u.unread, 'certified_from', u.certified_from, 'certified_until', u.certified_until)
    and may_be(u.unread, 'care_level', is_own_level('household_care', u.care_level));

insert into numbers
select
    s.child_key,
    unnest(['young_mother', 'late_notification']),
    unnest([p.age_at_notification, p.weeks_at_notification]),
    p.notified_on
from spine as s
join delivered_pregnancy_notifications as p on p.child_resident_id = s.resident_id
where not_after(p.notified_on);

-- 乳幼児健診未受診: blank 受診日 = not attended, 不詳 = attended, later than the reference date = not attended at it.
create or replace temp table checkups as
select
    s.child_key,
    c.due_month,
    case
        when list_contains(c.unknown_cells, 'attended_on') then false
        when c.attended_on <= getvariable('reference_date') then false
        else c.due_month < getvariable('reference_date')
    end as is_missed,
    coalesce(c.due_month < getvariable('reference_date'), true)
    and list_contains(c.invalid_cells, 'attended_on') as is_doubtful
from spine as s
join delivered_infant_checkups as c using (resident_id);

insert into numbers
select
    child_key,
    'missed_checkups',
    sum(is_missed::integer) filter (not is_doubtful),
    min(due_month) filter (is_missed and not is_doubtful)
from checkups
group by child_key;

insert into doubts
select
    child_key,
    'missed_checkups'
from checkups
group by child_key
having
    bool_or(is_doubtful)
    and count(*) filter (is_missed or is_doubtful) >= lowest_threshold('missed_checkups');

-- 母のEPDS: any test at or above either threshold; a test with both cells blank tells nothing.
insert into coded
select
    s.child_key,
    'maternal_epds',
    case
        when e.total_score is null and e.question_10 is null then null
        when
            coalesce(e.total_score >= threshold('maternal_epds', 'total_score'), false)
            or coalesce(e.question_10 >= threshold('maternal_epds', 'question_10'), false)
            then 'positive'
        else 'negative'
    end,
    e.conducted_on
from spine as s
join delivered_epds as e on e.child_resident_id = s.resident_id
where not_after(e.conducted_on);
