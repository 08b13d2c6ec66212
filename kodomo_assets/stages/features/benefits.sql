-- 生活保護, 児童扶養手当, 医療費助成, 就学援助, 国民健康保険, 保育所: benefits and arrears.

create or replace temp table allowances as
select
    s.child_key,
    a.payment_type,
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

-- ひとり親（児童扶養手当なし）: a NULL on either side is a doubt, and three-valued logic carries it.
insert into facts
with lone_parent_household as (
    select
        s.child_key,
        -- a facility is no household
        list_contains(words('single_parent', 'child'), s.relationship)
        and not s.is_facility
        and not bool_or(coalesce(list_contains(words('single_parent', 'spouse'), m.relationship), false)) as applies
    from spine as s
    join household_members as m using (child_key)
    group by s.child_key, s.relationship, s.is_facility
),

subsidised as (
    select
        child_key,
        bool_or(is_active) as applies,
        bool_or(is_active is null) as doubtful
    from subsidies
    where list_contains(words('single_parent', 'subsidy'), subsidy_type)
    group by child_key
),

drawing as (
    select
        child_key,
        bool_or(is_active) as applies,
        bool_or(is_active is null) as doubtful
    from allowances
    group by child_key
),

doubted_tables as (
    select
        s.child_key,
        bool_or(d.table_name = 'medical_subsidies') as subsidy,
        bool_or(d.table_name = 'child_rearing_allowance') as allowance
    from spine as s
    join doubted as d using (resident_id)
    group by s.child_key
)

select
    s.child_key,
    'single_parent',
    (
        case
            when coalesce(sub.applies, false) then true
            when coalesce(sub.doubtful, false) or coalesce(d.subsidy, false) then null
            else false
        end
        or h.applies
    )
    and not case
        when coalesce(a.applies, false) then true
        when coalesce(a.doubtful, false) or coalesce(d.allowance, false) then null
        else false
    end,
    'without_allowance'
from spine as s
join lone_parent_household as h using (child_key)
left join subsidised as sub using (child_key)
left join drawing as a using (child_key)
left join doubted_tables as d using (child_key);

insert into coded
select
    child_key,
    'child_rearing_allowance',
    payment_type
from allowances
where is_active;

insert into doubts
select
    child_key,
    'child_rearing_allowance'
from allowances
where is_active is null
union all
select
    s.child_key,
    'child_rearing_allowance'
from spine as s
join doubted using (resident_id)
where doubted.table_name = 'child_rearing_allowance';

-- 就学援助: the latest 年度 that is not still filling up (at least half as many rows as the one before).
create or replace temp table aid as
with usable as (
    select *
    from delivered_school_expense_aid
    where
        not_after(certified_on)
        and fiscal_year <= fiscal_year_of(getvariable('reference_date'))
),

years as (
    select
        fiscal_year,
        count(*) as rows_of_year
    from usable
    group by fiscal_year
),

chosen as (
    select max(y.fiscal_year) as fiscal_year
    from years as y
    left join years as before on before.fiscal_year = y.fiscal_year - 1
    where y.rows_of_year * 2 >= coalesce(before.rows_of_year, 0)
)

select
    s.child_key,
    u.certification
from usable as u
join chosen using (fiscal_year)
join spine as s on s.resident_id = u.child_resident_id;

insert into coded
select
    child_key,
    'school_expense_aid',
    certification
from aid;

-- A child has one row a 年度, so a readable one of that 年度 decides, 否認定 too.
insert into doubts
select
    s.child_key,
    'school_expense_aid'
from spine as s
join doubted using (resident_id)
anti join (from aid where certification is not null) as readable using (child_key)
where doubted.table_name = 'school_expense_aid';

insert into facts
select
    m.child_key,
    'public_assistance',
    active(p.started_on, p.ended_on, list_contains(p.invalid_cells, 'ended_on')),
    'applicable'
from household_members as m
join delivered_public_assistance as p using (resident_id);

insert into doubts
select
    m.child_key,
    'public_assistance'
from household_members as m
join doubted using (resident_id)
where doubted.table_name = 'public_assistance';

-- 国保税滞納: the largest among the rows active at the reference date, of any member.
insert into numbers
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
join delivered_nhi_households as n using (resident_id)
where active(n.acquired_on, n.lost_on, list_contains(n.invalid_cells, 'lost_on')) is null
union all
select
    m.child_key,
    'nhi_arrears'
from household_members as m
join doubted using (resident_id)
where doubted.table_name = 'nhi_households';

insert into numbers
select
    s.child_key,
    'nursery_fee_arrears',
    sum(n.fee_arrears_months)
from spine as s
join delivered_nursery_enrolment as n using (resident_id)
where not_after(n.entered_on)
group by s.child_key;

insert into facts
select distinct
    s.child_key,
    'nursery_attended',
    true,
    'applicable'
from spine as s
join delivered_nursery_enrolment as n using (resident_id)
where not_after(n.entered_on);

insert into doubts
select
    s.child_key,
    unnest(['nursery_fee_arrears', 'nursery_attended'])
from spine as s
join doubted using (resident_id)
where doubted.table_name = 'nursery_enrolment';

-- 医療機関受診なし: a child without an active subsidy is 欠損, which is why every child has a row here. One visit
-- decides; a sum of 0 does not where a row that cannot be read may hold more.
insert into numbers
with visits as (
    select
        s.child_key,
        sum(m.claims_12_months) filter (m.is_active) as visits,
        count(*) filter (
            m.child_key is not null
            and m.is_active is null
            and m.claims_12_months is distinct from 0
        ) > 0 as may_be_more
    from spine as s
    left join subsidies as m using (child_key)
    group by s.child_key
)

select
    s.child_key,
    'no_medical_visits',
    case
        when v.visits > threshold('no_medical_visits', 'applicable') then v.visits
        when not v.may_be_more and d.resident_id is null then v.visits
    end
from spine as s
join visits as v using (child_key)
left join doubted as d on d.resident_id = s.resident_id and d.table_name = 'medical_subsidies';
