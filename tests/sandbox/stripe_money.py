"""Stripe's objects of payments: intents, charges, refunds, disputes, and what ties them to invoices.  See stripe_objects.py."""
from stripe_objects import new_id, none, page


def payment_intent(now, inv, method):
    """What an invoice is to be paid with."""
    ident = new_id("pi_")
    return {**none("amount_details application application_fee_amount automatic_payment_methods canceled_at "
                   "cancellation_reason last_payment_error latest_charge next_action on_behalf_of processing "
                   "receipt_email review shipping source statement_descriptor statement_descriptor_suffix "
                   "transfer_data transfer_group customer_account payment_method_configuration_details"),
            "id": ident, "object": "payment_intent", "amount": inv["amount_remaining"], "amount_capturable": 0,
            "amount_received": 0, "capture_method": "automatic", "client_secret": f"{ident}_secret_{new_id('', 25)}",
            "confirmation_method": "automatic", "created": now, "currency": inv["currency"],
            "customer": inv["customer"], "description": "Subscription creation", "livemode": False, "metadata": {},
            "payment_details": {"customer_reference": None, "order_reference": inv["id"]},
            "payment_method": method and method["id"], "payment_method_options": {},
            "payment_method_types": ["card"], "setup_future_usage": "off_session", "status": "requires_payment_method",
            "_invoice": inv["id"]}


def charge(now, intent, method, outcome):
    """One attempt to take money; outcome: succeeded, failed, pending."""
    failed = outcome == "failed"
    ident = new_id("ch_")
    return {**none("application application_fee application_fee_amount calculated_statement_descriptor "
                   "failure_balance_transaction on_behalf_of receipt_email receipt_number review shipping source "
                   "source_transfer statement_descriptor statement_descriptor_suffix transfer_data transfer_group"),
            "id": ident, "object": "charge", "amount": intent["amount"],
            "amount_captured": 0 if failed else intent["amount"], "amount_refunded": 0,
            "balance_transaction": None if failed else new_id("txn_"), "billing_details": method["billing_details"],
            "captured": not failed, "created": now, "currency": intent["currency"], "customer": intent["customer"],
            "description": "Subscription", "disputed": False,
            "failure_code": "card_declined" if failed else None,
            "failure_message": "Your card was declined." if failed else None, "fraud_details": {}, "livemode": False,
            "metadata": {}, "outcome": {"network_status": "declined_by_network" if failed else "approved_by_network",
                                        "reason": "generic_decline" if failed else None, "risk_level": "normal",
                                        "type": "issuer_declined" if failed else "authorized"},
            "paid": outcome == "succeeded", "payment_intent": intent["id"], "payment_method": method["id"],
            "payment_method_details": {method["type"]: {"last4": method[method["type"]]["last4"]}, "type": method["type"]},
            "receipt_url": None, "refunded": False, "status": outcome, "_invoice": intent["_invoice"],
            "_refunds": page(f"/v1/charges/{ident}/refunds", [])}


def invoice_payment(now, inv, intent):
    """What ties an invoice to its payment intent, since today's API."""
    return {"id": new_id("inpay_"), "object": "invoice_payment", "amount_paid": None,
            "amount_requested": intent["amount"], "created": now, "currency": inv["currency"], "invoice": inv["id"],
            "is_default": True, "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"}, "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None}, "_customer": inv["customer"]}


def refund(now, of, amount, p):
    """Money given back."""
    return {"id": new_id("re_"), "object": "refund", "amount": amount, "balance_transaction": new_id("txn_"),
            "charge": of["id"], "created": now, "currency": of["currency"],
            "destination_details": {"card": {"reference_status": "pending", "reference_type": "acquirer_reference_number",
                                             "type": "refund"}, "type": "card"},
            "metadata": {}, "payment_intent": of["payment_intent"], "reason": p.get("reason"), "receipt_number": None,
            "source_transfer_reversal": None, "status": "succeeded", "transfer_reversal": None}


def dispute(now, of, reason):
    """A charge that its payer has taken back."""
    return {"id": new_id("dp_"), "object": "dispute", "amount": of["amount"], "balance_transactions": [],
            "charge": of["id"], "created": now, "currency": of["currency"], "enhanced_eligibility_types": [],
            "evidence": {}, "evidence_details": {"due_by": now + 7 * 86400, "has_evidence": False, "past_due": False,
                                                 "submission_count": 0},
            "is_charge_refundable": False, "livemode": False, "metadata": {}, "payment_intent": of["payment_intent"],
            "reason": reason, "status": "needs_response"}


def coupon(now, p):
    """A coupon."""
    return {"id": p.get("id") or new_id("", 8), "object": "coupon", "amount_off": p.get("amount_off"), "created": now,
            "currency": p.get("currency"), "duration": p.get("duration", "once"), "duration_in_months": None,
            "livemode": False, "max_redemptions": p.get("max_redemptions"), "metadata": {}, "name": p.get("name"),
            "percent_off": float(p["percent_off"]) if p.get("percent_off") else None, "redeem_by": None,
            "times_redeemed": 0, "valid": True}


def promotion_code(now, p, coupon_id):
    """A code that a customer types."""
    return {"id": new_id("promo_"), "object": "promotion_code", "active": p.get("active", True),
            "code": p.get("code") or new_id("", 8).upper(), "created": now, "customer": None, "customer_account": None,
            "expires_at": None, "livemode": False, "max_redemptions": p.get("max_redemptions"), "metadata": {},
            "promotion": {"type": "coupon", "coupon": coupon_id},
            "restrictions": {"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None},
            "times_redeemed": 0}


def discount(now, sub, coupon_id, code_id, session):
    """A coupon at work on a subscription."""
    return {"id": new_id("di_"), "object": "discount", "checkout_session": session, "customer": sub["customer"],
            "customer_account": None, "end": None, "invoice": None, "invoice_item": None, "promotion_code": code_id,
            "source": {"coupon": coupon_id, "type": "coupon"}, "start": now, "subscription": sub["id"],
            "subscription_item": None}


def session(now, ident, p, amount):
    """A session of checkout."""
    return {**none("after_expiration allow_promotion_codes billing_address_collection cancel_url client_reference_id "
                   "client_secret consent consent_collection customer customer_creation customer_details "
                   "customer_email invoice invoice_creation locale payment_intent payment_link "
                   "payment_method_configuration_details recovered_from saved_payment_method_options setup_intent "
                   "shipping_address_collection shipping_cost submit_type subscription adaptive_pricing "
                   "collected_information permissions wallet_options origin_context currency_conversion "
                   "customer_account integration_identifier managed_payments allowed_payment_method_types"),
            "id": ident, "object": "checkout.session", "amount_subtotal": amount, "amount_total": amount,
            "allow_promotion_codes": p.get("allow_promotion_codes"),
            "automatic_tax": {"enabled": False, "liability": None, "status": None, "provider": None},
            "billing_address_collection": p.get("billing_address_collection"), "cancel_url": p.get("cancel_url"),
            "client_reference_id": p.get("client_reference_id"), "created": now, "custom_fields": [],
            "custom_text": none("after_submit shipping_address submit terms_of_service_acceptance"),
            "customer": p.get("customer"), "customer_email": p.get("customer_email"),
            "expires_at": p.get("expires_at") or now + 86400, "livemode": False, "locale": p.get("locale"),
            "metadata": {}, "mode": p["mode"], "payment_method_collection": p.get("payment_method_collection", "always"),
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"], "payment_status": "unpaid", "phone_number_collection": {"enabled": False},
            "shipping_options": [], "status": "open", "success_url": p["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted_page",
            "discounts": [], "allowed_payment_method_types": p.get("allowed_payment_method_types")}
