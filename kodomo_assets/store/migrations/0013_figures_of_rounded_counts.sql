-- Of versions of before they are not known: their figures are told no more.
alter table if exists weights.validation add column if not exists rounded double;

alter table if exists weights.model_cards add column if not exists cv_precision_rounded double;

alter table if exists weights.model_cards add column if not exists cv_lift_rounded double;
