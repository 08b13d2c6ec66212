-- Why a 開示 stops until a second role confirms it; `subject_numbers` says who it is about (store.subjects), and
-- `own_consultations` holds the rows of 児童相談記録 about it.
create or replace temp table care as
with own_households as (
    select
        number as household_id,
        reference_date
    from subject_numbers
    where kind = 'household_id'
),

protected as (
    select 1
    from sources.resident_register as r
    join own_households as h using (household_id, reference_date)
    where r.protection
    union all
    select 1
    from linkage.children as c
    join subject_numbers as n on n.kind = 'child_key' and n.number = c.child_key
    where c.protected
),

-- a consultation is as it was delivered last
last_told as (
    select
        consultation_type,
        closed_on
    from own_consultations
    qualify row_number() over (partition by consultation_id order by reference_date desc, source_row desc) = 1
),

-- what nobody could read may be one; 終結日 of a day to come is no end yet
open_abuse as (
    select 1
    from last_told
    where
        (consultation_type is null or list_contains($abuse, consultation_type))
        and (closed_on is null or closed_on > $today)
    union all
    -- SSW相談記録 says of no case that it has ended
    select 1
    from sources.ssw_records as s
    join subject_numbers as n
        on
            n.kind = 'person_ref'
            and n.table_name = 'ssw_records'
            and n.number = s.record_id
            and n.reference_date = s.reference_date
    where s.consultation_type is null or list_contains($abuse, s.consultation_type)
)

select
    exists(from protected) as is_protected,
    exists(from open_abuse) as has_open_abuse;
