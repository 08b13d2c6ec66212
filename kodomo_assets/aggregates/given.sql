-- What the host is given of analyst.duckdb: the rows of all schools together, of every list.
create or replace temp view given_funnel as
select * exclude (school_code)
from evaluation.funnel
where school_code is null;

create or replace temp view given_indicators as
select *
from evaluation.indicators;

create or replace temp view given_coverage as
select *
from evaluation.coverage_per_table;

create or replace temp view given_linkage as
select *
from evaluation.methods_per_table;

create or replace temp view given_model_cards as
select
    f.reference_date,
    v.origin,
    c.* rename (reference_date as fitted_on)
from weights.in_force as f
inner join weights.model_cards as c using (version)
inner join weights.versions as v using (version, band);

create or replace temp view given_drift as
select *
from evaluation.drift;

create or replace temp view given_deliveries as
select *
from evaluation.deliveries;
