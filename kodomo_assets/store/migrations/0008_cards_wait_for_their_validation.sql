-- The figures of a card come with the validation, a step after the fit.
alter table if exists weights.model_cards alter column cv_auc drop not null;

alter table if exists weights.model_cards alter column cv_precision_at_10 drop not null;

alter table if exists weights.model_cards alter column cv_recall_at_10 drop not null;

alter table if exists weights.model_cards alter column cv_lift_at_10 drop not null;
