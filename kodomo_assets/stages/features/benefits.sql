-- 生活保護, 児童扶養手当, 医療費助成, 就学援助, 国民健康保険, 保育所: benefits and arrears.

create or replace temp table allowances as
select
    s.child_key,
    a.payment_type,
    a.certified_on,
    active(a.certified_on, a.disqualified_on, list_contains(a.invalid_cells, 'disqualified_on')) as is_active
from spine as s
join delivered_child_rearing_allowance as a on a.child_resident_id = s.resident_id;

create or replace temp table subsidies as
select
    s.child_key,
    m.subsidy_type,
    m.claims_12_months,
    active(m.eligible_from, m.eligible_until, list_contains(m.invalid_cells, 'eligible_until')) as is_active
from spine as s
join delivered_medical_subsidies as m using (resident_id);

-- Rows that may be active and cannot be read whole.
create or replace temp table unclear_allowances as
select
    s.child_key,
    u.*
from spine as s
join unclear_child_rearing_allowance as u on u.person_ref = s.resident_id
where may_be_active(u.unread, 'certified_on', u.certified_on, 'disqualified_on', u.disqualified_on);

create or replace temp table unclear_subsidies as
select
    s.child_key,
    u.*
from spine as s
join unclear_medical_subsidies as u on u.person_ref = s.resident_id
where may_be_active(u.unread, 'eligible_from', u.eligible_from, 'eligible_until', u.eligible_until);

-- ひとり親（児童扶養手当なし）: a NULL on either side is a doubt, and three-valued logic carries it.
insert into facts (child_key, item, applies, level)
with not_alone as (
    select
        m.child_key,
        bool_or(coalesce(list_contains(words('single_parent', 'spouse'), m.relationship), false)) as spouse,
        bool_or(r.resident_id is not null) as may_be_spouse
    from household_members as m
    left join (
        select resident_id from delivered_resident_register where list_contains(invalid_cells, 'relationship')
    ) as r on r.resident_id = m.resident_id and not m.is_child
    group by m.child_key
),

lone_parent_household as (
    select
        s.child_key,
        -- a facility is no household
        list_contains(words('single_parent', 'child'), s.relationship)
        and not s.is_facility
        and case
            when n.spouse then false
            when n.may_be_spouse or s.child_key in (
                select child_key
                from unclear_members
                where may_be(unread, 'relationship', list_contains(words('single_parent', 'spouse'), relationship))
            ) then null
            else true
        end as applies
    from spine as s
    join not_alone as n using (child_key)
),

subsidised as (
    select distinct child_key
    from subsidies
    where is_active and list_contains(words('single_parent', 'subsidy'), subsidy_type)
),

may_be_subsidised as (
    select distinct child_key
    from unclear_subsidies
    where may_be(unread, 'subsidy_type', list_contains(words('single_parent', 'subsidy'), subsidy_type))
)

select
    child_key,
    'single_parent',
    (
        case
            when child_key in (from subsidised) then true
            when child_key in (from may_be_subsidised) then null
            else false
        end
        or applies
    )
    and not case
        when child_key in (select child_key from allowances where is_active) then true
        when child_key in (select child_key from unclear_allowances) then null
        else false
    end,
    'without_allowance'
from lone_parent_household;

insert into coded
select
    child_key,
    'child_rearing_allowance',
    payment_type,
    certified_on
from allowances
where is_active;

insert into doubts
select
    child_key,
    'child_rearing_allowance'
from unclear_allowances
where may_be(unread, 'payment_type', is_own_level('child_rearing_allowance', payment_type));

-- 就学援助: the latest 年度 that is not still filling up (at least half as many rows as the one before).
create or replace temp table usable_aid as
select *
from delivered_school_expense_aid
where
    not_after(certified_on)
    and fiscal_year <= fiscal_year_of(getvariable('reference_date'));

create or replace temp table chosen_year as
with years as (
    select
        fiscal_year,
        count(*) as rows_of_year
    from usable_aid
    group by fiscal_year
)

select max(y.fiscal_year) as fiscal_year
from years as y
left join years as before on before.fiscal_year = y.fiscal_year - 1
where y.rows_of_year * 2 >= coalesce(before.rows_of_year, 0);

create or replace temp table aid as
select
    s.child_key,
    u.certification,
    u.certified_on
from usable_aid as u
join chosen_year using (fiscal_year)
join spine as s on s.resident_id = u.child_resident_id;

insert into coded
select
    child_key,
    'school_expense_aid',
    certification,
    certified_on
from aid;

-- A child has one row a 年度, so a readable one of that 年度 decides, 否認定 too.
insert into doubts
select
    s.child_key,
    'school_expense_aid'
from spine as s
join unclear_school_expense_aid as u on u.person_ref = s.resident_id
cross join chosen_year as c
anti join (from aid where certification is not null) as readable on readable.child_key = s.child_key
where
    may_be(u.unread, 'certification', is_own_level('school_expense_aid', u.certification))
    and may_be(u.unread, 'certified_on', not_after(u.certified_on))
    -- a 年度 of which no row can be read is the latest one
    and may_be(u.unread, 'fiscal_year', u.fiscal_year = coalesce(c.fiscal_year, u.fiscal_year))
    and may_be(u.unread, 'fiscal_year', u.fiscal_year <= fiscal_year_of(getvariable('reference_date')));

insert into facts
select
    m.child_key,
    'public_assistance',
    active(p.started_on, p.ended_on, list_contains(p.invalid_cells, 'ended_on')),
    'applicable',
    p.started_on
from household_members as m
join delivered_public_assistance as p using (resident_id);

insert into doubts
select
    m.child_key,
    'public_assistance'
from household_members as m
join unclear_public_assistance as u on u.person_ref = m.resident_id
where may_be_active(u.unread, 'started_on', u.started_on, 'ended_on', u.ended_on);

-- 国保税滞納: the largest among the rows active at the reference date, of any member.
insert into numbers (child_key, item, value)
select
    m.child_key,
    'nhi_arrears',
    max(n.arrears_periods)
from household_members as m
join delivered_nhi_households as n using (resident_id)
where active(n.acquired_on, n.lost_on, list_contains(n.invalid_cells, 'lost_on'))
group by m.child_key;

insert into doubts
select
    m.child_key,
    'nhi_arrears'
from household_members as m
join unclear_nhi_households as u on u.person_ref = m.resident_id
where
    may_be_active(u.unread, 'acquired_on', u.acquired_on, 'lost_on', u.lost_on)
    and may_be(u.unread, 'arrears_periods', u.arrears_periods >= lowest_threshold('nhi_arrears'));

insert into numbers (child_key, item, value)
select
    s.child_key,
    'nursery_fee_arrears',
    sum(n.fee_arrears_months)
from spine as s
join delivered_nursery_enrolment as n using (resident_id)
where not_after(n.entered_on)
group by s.child_key;

insert into facts
select
    s.child_key,
    'nursery_attended',
    true,
    'applicable',
    n.entered_on
from spine as s
join delivered_nursery_enrolment as n using (resident_id)
where not_after(n.entered_on);

create or replace temp table unclear_enrolments as
select
    s.child_key,
    u.*
from spine as s
join unclear_nursery_enrolment as u on u.person_ref = s.resident_id
where u.is_rejected and may_be(u.unread, 'entered_on', u.entered_on <= getvariable('reference_date'));

insert into doubts
select distinct
    child_key,
    'nursery_attended'
from unclear_enrolments;

-- Of rows that contradict one another only one can be right, so the most that they may add is the largest.
insert into doubts
with most as (
    select
        child_key,
        max(fee_arrears_months) as months,
        bool_or(list_contains(unread, 'fee_arrears_months')) as may_be_any
    from unclear_enrolments
    group by child_key, reading_of
)

select
    m.child_key,
    'nursery_fee_arrears'
from most as m
left join numbers as n on n.child_key = m.child_key and n.item = 'nursery_fee_arrears'
group by m.child_key, n.value
having
    bool_or(m.may_be_any)
    or coalesce(n.value, 0) + coalesce(sum(m.months), 0) >= lowest_threshold('nursery_fee_arrears');

-- 医療機関受診なし: a child without an active subsidy is 欠損, which is why every child has a row here. One visit
-- decides; a sum of 0 does not where a row that cannot be read may hold more.
insert into numbers (child_key, item, value)
with visits as (
    select
        s.child_key,
        sum(m.claims_12_months) filter (m.is_active) as visits
    from spine as s
    left join subsidies as m using (child_key)
    group by s.child_key
),

most as (
    select
        child_key,
        max(claims_12_months) as visits,
        bool_or(list_contains(unread, 'claims_12_months')) as may_be_any
    from unclear_subsidies
    group by child_key, reading_of
),

unclear as (
    select
        child_key,
        coalesce(sum(visits), 0) as visits,
        bool_or(may_be_any) as may_be_any
    from most
    group by child_key
)

select
    v.child_key,
    'no_medical_visits',
    case
        when v.visits > threshold('no_medical_visits', 'applicable') then v.visits
        when u.may_be_any then null
        when v.visits + coalesce(u.visits, 0) > threshold('no_medical_visits', 'applicable') then null
        else v.visits
    end
from visits as v
left join unclear as u using (child_key);
