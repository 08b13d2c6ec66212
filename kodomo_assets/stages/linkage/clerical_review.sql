-- 名寄せ確認: both sides of every pair of `new_review`, as people read them. A child under 支援措置 is shown without
-- address, household and school.
with heads as (
    select
        households.household_id,
        min(r.name) as name
    from linkage.residents as households
    join delivered_resident_register as r using (resident_id)
    where households.reference_date = $reference_date and households.relationship = '世帯主'
    group by households.household_id
),

-- Where one candidate is under 支援措置 the person's school would tell the child's: no row of the 組 shows any.
guarded as (
    select distinct
        w.table_name,
        w.person_ref
    from new_review as w
    join linkage.children as c on c.reference_date = $reference_date and c.child_key = w.child_key
    where c.protected
),

-- Numbers of one delivery that want the same child: why a pair without any difference is asked.
wanted as (
    select
        w.table_name,
        w.person_ref,
        w.child_key,
        list(distinct o.person_ref order by o.person_ref) as others
    from new_review as w
    join new_review as o
        on
            o.table_name = w.table_name
            and o.child_key = w.child_key
            and o.person_ref <> w.person_ref
    where w.table_name = 'school_roster'
    group by w.table_name, w.person_ref, w.child_key
)

select
    -- numbers of earlier rosters have a part of their own, below
    dense_rank() over (order by not p.in_force, w.table_name, w.person_ref)::integer as person_number,
    w.table_name,
    w.person_ref,
    p.in_force,
    w.child_key,
    c.resident_id,
    p.name_kana as person_kana,
    s.name_kana as child_kana,
    p.name as person_name,
    r.name as child_name,
    coalesce(text_key(p.name) <> text_key(r.name), false) as name_differs,
    p.birth_date as person_birth,
    s.birth_date as child_birth,
    p.sex as person_sex,
    s.sex as child_sex,
    g.person_ref is not null as school_hidden,
    coalesce(ps.school_name, p.school_written, p.school_code) as person_school,
    coalesce(cs.school_name, s.school_code) || ' ' || c.school_year || '年' as child_school,
    case when not c.protected then r.address end as address,
    case when not c.protected then h.name end as household_head,
    c.protected,
    w.level_name,
    w.level_birth,
    w.level_sex,
    w.level_school,
    w.weight_name,
    w.weight_birth,
    w.weight_sex,
    w.weight_school,
    w.probability,
    w.asked_because,
    coalesce(t.others, []) as other_numbers,
    a.decided_by as held_by,
    a.decided_on as held_on
from new_review as w
join persons as p using (table_name, person_ref)
join named_children as s using (child_key)
join linkage.children as c on c.reference_date = $reference_date and c.child_key = w.child_key
join delivered_resident_register as r on r.resident_id = c.resident_id
left join heads as h on h.household_id = c.household_id
left join linkage.schools as ps on ps.reference_date = $reference_date and ps.school_code = p.school_code
left join linkage.schools as cs on cs.reference_date = $reference_date and cs.school_code = s.school_code
left join guarded as g on g.table_name = w.table_name and g.person_ref = w.person_ref
left join wanted as t
    on
        t.table_name = w.table_name
        and t.person_ref = w.person_ref
        and t.child_key = w.child_key
left join answers_in_force as a
    on
        a.table_name = w.table_name
        and a.person_ref = w.person_ref
        and a.child_key = w.child_key
        and a.answer = 'pending'
order by person_number, w.probability desc, c.resident_id
