-- Quarantined rows of the two registers that may take a child off the spine, by file and row.
with quarantined as (
    select q.*
    from delivered_quarantine as q
    anti join acknowledged as a
        on
            a.reference_date = q.reference_date
            and a.table_name = q.table_name
            and a.file = q.file
            and a.row_number = q.row_number
    where
        q.scope = 'row'
        and q.table_name in ('resident_register', 'school_register')
),

on_spine as (
    select resident_id
    from linkage.children
    where reference_date = $reference_date
    union
    -- no row takes off who is off it
    select resident_id
    from rights.stops_in_force
),

residents as (
    select resident_id
    from linkage.residents
    where reference_date = $reference_date
),

-- Both registers may have lost the row of one child: a quarantined row still tells that its number is known.
known_residents as (
    select resident_id from residents
    union
    select person_ref as resident_id from quarantined where table_name = 'resident_register'
),

registered_without_resident_row as (
    select resident_id
    from (
        select resident_id from delivered_school_register
        union
        select person_ref as resident_id
        from quarantined
        where table_name = 'school_register' and person_ref is not null
    )
    anti join delivered_resident_register using (resident_id)
)

select
    q.table_name,
    q.file,
    q.row_number,
    d.sha256
from quarantined as q
left join sources.deliveries as d
    on
        d.reference_date = q.reference_date
        and d.table_name = q.table_name
        and d.file = q.file
        and not d.superseded
where
    (q.person_ref is null or q.person_ref not in (from on_spine))
    and case
        when q.table_name = 'school_register'
            then q.person_ref is null or exists (from known_residents as k where k.resident_id = q.person_ref)
        when q.person_ref is null then exists (from registered_without_resident_row)
        else q.person_ref in (from registered_without_resident_row)
    end
order by all
