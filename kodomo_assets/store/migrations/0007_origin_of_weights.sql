-- A version has a row per band, with where its weights come from. Of before: own ones, in force from their date on.
create table weights.versions_of_before as
from weights.versions;

drop table weights.versions;

create table weights.versions (
    version varchar not null,
    band varchar not null,
    reference_date date not null,
    fingerprint varchar not null,
    label varchar not null,
    created_at timestamptz not null,
    origin varchar not null,
    in_force_from date,
    decided_by varchar,
    reason varchar not null
);

insert into weights.versions by name
select
    v.*,
    c.band,
    'own' as origin,
    v.reference_date as in_force_from,
    'weights of its own' as reason
from weights.versions_of_before as v
join (select distinct version, band from weights.coefficients) as c using (version);

drop table weights.versions_of_before;
