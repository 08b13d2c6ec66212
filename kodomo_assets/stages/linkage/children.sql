-- Everyone resident at the reference date, with the effective household: a 世帯番号 with too many members is a
-- facility and no household, so each of its residents stands alone (items.yaml, header).
create or replace temp table new_residents as
with present as (
    select
        resident_id,
        household_id as register_household_id,
        relationship,
        birth_date,
        count(*) over (partition by household_id) > $max_household_size as is_facility
    from delivered_resident_register
    where
        (resident_since is null or resident_since <= $reference_date)
        and (removed_on is null or removed_on > $reference_date)
)

select
    $reference_date::date as reference_date,
    resident_id,
    case when is_facility then 'facility:' || resident_id else register_household_id end as household_id,
    is_facility,
    relationship,
    legal_age(birth_date, $reference_date::date) as legal_age
from present;

-- What cannot be read protects: a person whose row is quarantined keeps the protection of its last readable row.
create or replace temp table unreadable_protected as
select *
from (
    select
        r.resident_id,
        r.household_id,
        r.reference_date,
        r.protection
    from sources.resident_register as r
    semi join (
        select person_ref as resident_id
        from delivered_quarantine
        where table_name = 'resident_register' and scope = 'row' and reason <> 'duplicate_row'
    ) using (resident_id)
    where r.reference_date < $reference_date
    qualify row_number() over (partition by r.resident_id order by r.reference_date desc) = 1
)
where protection;

-- Such a person's household at the reference date is unknown: it is protected under its last number, and wherever
-- those who shared it then live now, because they may have gone together (世帯分離, 世帯合併).
create or replace temp table protected_households as
with shared as (
    select
        h.resident_id,
        count(*) over (partition by h.reference_date, h.household_id) > $max_household_size as was_facility
    from sources.resident_register as h
    semi join unreadable_protected using (reference_date, household_id)
    where
        (h.resident_since is null or h.resident_since <= h.reference_date)
        and (h.removed_on is null or h.removed_on > h.reference_date)
)

select residents.household_id
from new_residents as residents
join delivered_resident_register as r using (resident_id)
where r.protection
union
select household_id
from unreadable_protected
union
select residents.household_id
from new_residents as residents
join shared using (resident_id)
where not shared.was_facility;

-- Every child of the school register who is resident, whether or not the use of what is known of it is stopped (利用停止).
create or replace temp table placed_children as
with registered as (
    select
        s.resident_id,
        s.school_code,
        s.school_year as register_school_year,
        residents.household_id,
        legal_school_year(r.birth_date, $reference_date::date) as legal_school_year
    from delivered_school_register as s
    join new_residents as residents using (resident_id)
    join delivered_resident_register as r using (resident_id)
),

placed as (
    select
        *,
        -- 学年 may be blank; a legal school year outside 1 to 9 (原級留置, 早い就学) stands at the nearer end.
        coalesce(register_school_year, greatest(1, least(9, legal_school_year))) as school_year
    from registered
)

select
    $reference_date::date as reference_date,
    pseudonyms.child_key,
    placed.resident_id,
    placed.household_id,
    placed.school_code,
    placed.school_year,
    placed.legal_school_year,
    bands.band,
    placed.household_id in (select household_id from protected_households) as protected
from placed
join pseudonyms using (resident_id)
join bands using (school_year);

-- The spine. Who is stopped stands in no table of a child from here on; in its household, and as a candidate of the
-- linkage, it stays: or what is its own would be taken for another child's (persons.sql).
create or replace temp table new_children as
select *
from placed_children
anti join rights.stops_in_force using (resident_id);

-- How many that concerns, for the effect on list and fit.
create or replace temp table new_stopped as
select
    reference_date,
    school_code,
    school_year,
    count(*)::integer as children
from placed_children
semi join rights.stops_in_force using (resident_id)
group by reference_date, school_code, school_year;

-- The schools of the register in force, whether or not a child of theirs is on the spine.
create or replace temp table new_schools as
select
    $reference_date::date as reference_date,
    s.school_code,
    s.school_name
from registered_schools as s
join delivered as d
    on d.table_name = 'school_register' and d.delivered_on = s.reference_date;

-- 世帯分離: children at whose address another household with an adult is registered. For the count only: a household
-- is a 世帯番号, whatever its address.
create or replace temp table children_beside_a_household as
with at_address as (
    select
        residents.resident_id,
        residents.household_id,
        residents.is_facility,
        residents.legal_age,
        coalesce(addresses.compared, r.address) as address
    from new_residents as residents
    join delivered_resident_register as r using (resident_id)
    left join addresses using (address)
    where coalesce(addresses.compared, r.address) <> ''
)

select children.resident_id
from at_address as children
semi join new_children using (resident_id)
semi join (
    select distinct address, household_id
    from at_address
    where legal_age >= 18 and not is_facility
) as other
    on other.address = children.address and other.household_id <> children.household_id;

-- 就学状況の分からない子ども: residents of school age whom 学齢簿 does not know, neither by an accepted row nor by one
-- that was sent back. They stand in no list, so somebody has to look for them.
create or replace temp table new_unregistered as
with of_school_age as (
    select
        residents.resident_id,
        r.nationality is null or list_contains($japanese, r.nationality) as is_japanese,
        legal_school_year(r.birth_date, $reference_date::date) as legal_school_year
    from new_residents as residents
    join delivered_resident_register as r using (resident_id)
    anti join delivered_school_register using (resident_id)
    anti join (
        select person_ref as resident_id
        from delivered_quarantine
        where table_name = 'school_register' and scope = 'row' and person_ref is not null
    ) using (resident_id)
)

-- Zeros stand too: a date that was counted differs from one that was not.
select
    $reference_date::date as reference_date,
    years.legal_school_year,
    groups.nationality,
    count(resident_id)::integer as residents
from (select unnest(generate_series(1, 9))::integer as legal_school_year) as years
cross join (select unnest(['japanese', 'other']) as nationality) as groups
left join of_school_age
    on
        of_school_age.legal_school_year = years.legal_school_year
        and of_school_age.is_japanese = (groups.nationality = 'japanese')
group by years.legal_school_year, groups.nationality;
