"""Addresses of the job pages and of their live regions, and of those provider pages that show
jobs: these join the others in the namespace `providers` (orchestrator/urls.py)."""

from __future__ import annotations

from django.urls import path

from jobs import (
    views,
    views_acts,
    views_bulk,
    views_left_overs,
    views_live,
    views_log,
    views_new,
    views_provider_change,
    views_providers,
    views_queue,
    views_saved,
)

app_name = "jobs"
urlpatterns = [
    path("jobs", views.job_list, name="list"),
    path("jobs/export", views.job_export, name="export"),
    path("jobs/bulk", views_bulk.job_bulk, name="bulk"),
    path("jobs/new", views_new.job_new, name="new"),
    path("jobs/views", views_saved.view_list, name="views"),
    path("jobs/views/<int:view_id>/rename", views_saved.rename, name="view-rename"),
    path("jobs/views/<int:view_id>/default", views_saved.default, name="view-default"),
    path("jobs/views/<int:view_id>/delete", views_saved.delete, name="view-delete"),
    path("jobs/<int:job_id>", views.job_detail, name="detail"),
    path("jobs/<int:job_id>/cancel", views.job_cancel, name="cancel"),
    path("jobs/<int:job_id>/force-finish", views.job_force_finish, name="force-finish"),
    path("jobs/<int:job_id>/rerun", views.job_rerun, name="rerun"),
    path("jobs/<int:job_id>/hold", views_acts.job_hold, name="hold"),
    path("jobs/<int:job_id>/release", views_acts.job_release, name="release"),
    path("jobs/<int:job_id>/reprioritise", views_acts.job_reprioritise, name="reprioritise"),
    path("jobs/<int:job_id>/move", views_acts.job_move, name="move"),
    path("queue", views_queue.page, name="queue"),
    path("queue/<int:job_id>/release", views_queue.release, name="queue-release"),
    path("_/queue/head", views_queue.head, name="live-queue-head"),
    path("_/queue/rows", views_queue.rows, name="live-queue-rows"),
    path("left-overs", views_left_overs.page, name="left-overs"),
    path("_/left-overs", views_left_overs.rows, name="live-left-overs"),
    path("_/jobs/rows", views_live.rows, name="live-rows"),
    path("_/jobs/check", views_new.check, name="check"),
    path("_/jobs/counts", views_live.counts, name="live-counts"),
    path("_/jobs/<int:job_id>/header", views_live.header, name="live-header"),
    path("_/jobs/<int:job_id>/attempts", views_live.attempts, name="live-attempts"),
    path("_/jobs/<int:job_id>/waiting", views_live.waiting, name="live-waiting"),
    path("_/jobs/<int:job_id>/use", views_live.use, name="live-use"),
    path("_/jobs/<int:job_id>/facts", views_live.facts, name="live-facts"),
    path("_/jobs/<int:job_id>/events", views_live.events, name="live-events"),
    path("_/jobs/<int:job_id>/log/<int:number>", views_log.batch, name="live-log"),
    path("_/jobs/<int:job_id>/log/<int:number>/search", views_log.search, name="log-search"),
]

provider_pages = [
    path("providers", views_providers.provider_index, name="list"),
    path("providers/<int:provider_id>", views_providers.provider_detail, name="detail"),
    path("providers/<int:provider_id>/edit", views_provider_change.provider_edit, name="edit"),
    path("providers/<int:provider_id>/mode", views_provider_change.provider_mode, name="mode"),
    path("providers/<int:provider_id>/setup", views_provider_change.provider_setup, name="setup"),
    path("_/providers", views_providers.rows, name="live-list"),
    path("_/providers/<int:provider_id>", views_providers.detail, name="live-detail"),
    path("_/providers/<int:provider_id>/mode", views_provider_change.mode, name="live-mode"),
]
