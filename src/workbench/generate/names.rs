//! Words that make a generated fleet readable. A larger world gets numbered names beyond these lists.

/// Task types.
const TASK_TYPES: &[&str] = &["support", "finance", "research", "release", "procurement", "reporting"];

/// Tools, with the server that offers them. The first one moves money.
const TOOLS: &[(&str, &str)] = &[
    ("issue_refund", "payments"),
    ("lookup_order", "crm"),
    ("send_email", "mail"),
    ("search_tickets", "helpdesk"),
    ("get_customer", "crm"),
    ("post_message", "chat"),
    ("read_document", "files"),
    ("query_ledger", "erp"),
    ("upload_report", "files"),
    ("list_invoices", "erp"),
    ("summarize_text", "models"),
    ("share_file", "files"),
    ("get_build_status", "ci"),
    ("fetch_page", "browser"),
    ("create_ticket", "helpdesk"),
    ("read_calendar", "calendar"),
    ("search_knowledge", "wiki"),
    ("notify_channel", "chat"),
    ("get_supplier", "erp"),
    ("compare_offers", "erp"),
    ("run_query", "warehouse"),
    ("export_table", "warehouse"),
    ("list_repositories", "git"),
    ("read_pull_request", "git"),
    ("comment_pull_request", "git"),
    ("get_metrics", "monitoring"),
    ("classify_request", "models"),
    ("translate_text", "models"),
    ("update_record", "crm"),
    ("read_policy", "wiki"),
    ("get_exchange_rate", "market"),
    ("list_shipments", "logistics"),
    ("track_parcel", "logistics"),
    ("push_artifact", "ci"),
    ("draft_reply", "models"),
    ("get_contract", "files"),
    ("schedule_meeting", "calendar"),
    ("read_mailbox", "mail"),
    ("validate_form", "helpdesk"),
    ("render_chart", "models"),
];

/// Name of task type `index`.
pub fn task_type(index: usize) -> String {
    TASK_TYPES.get(index).map_or_else(|| format!("task-{index}"), |name| (*name).to_owned())
}

/// Name and server of tool `index`.
pub fn tool(index: usize) -> (String, String) {
    TOOLS
        .get(index)
        .map_or_else(|| (format!("tool_{index}"), "extensions".to_owned()), |(name, server)| ((*name).to_owned(), (*server).to_owned()))
}
