-- Deliveries that are late, and what was found in the files of the deliveries in force. Reads the temp tables delivered
-- and contract_facts.

create or replace temp table late_tables as
select
    d.table_name,
    d.delivered_on
from delivered as d
join contract_facts as f using (table_name)
where
    f.termly
    and d.status = 'earlier';

create or replace temp table faults_in_force as
select f.*
from sources.faults as f
join delivered as d
    on d.table_name = f.table_name and d.delivered_on = f.reference_date
semi join (from sources.deliveries where status = 'accepted' and not superseded) as accepted
    on
        accepted.reference_date = f.reference_date
        and accepted.table_name = f.table_name
        and accepted.file = f.file
        and accepted.sha256 = f.sha256;
