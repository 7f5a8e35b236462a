"""Which parameters each of Stripe's operations takes here.  See stripe_form.py."""
from stripe_form import (boolean, currency, decimal, email, free, integer, metadata, natural, one_of,
                         or_words, text, unset_or, words)

EXPAND = {"expand": [text]}
RANGE = {"gt": integer, "gte": integer, "lt": integer, "lte": integer}
LIST = {**EXPAND, "limit": natural, "starting_after": text, "ending_before": text, "created": RANGE}
ADDRESS = {k: text for k in ("city", "country", "line1", "line2", "postal_code", "state")}
PRORATION = one_of("always_invoice", "create_prorations", "none")
PAYMENT = one_of("allow_incomplete", "default_incomplete", "error_if_incomplete")
BILLING_MODE = {"type!": one_of("classic", "flexible")}
TRIAL_SETTINGS = {"end_behavior!": {"missing_payment_method!": one_of("cancel", "create_invoice", "pause")}}

CUSTOMER = {**EXPAND, "email": email, "name": words(256), "phone": words(20), "description": text,
            "metadata": metadata, "address": ADDRESS, "balance": integer, "preferred_locales": [text],
            "invoice_settings": {"default_payment_method": text, "footer": text},
            "tax_exempt": one_of("exempt", "none", "reverse")}
PRODUCT = {**EXPAND, "name": text, "description": text, "metadata": metadata, "active": boolean,
           "unit_label": words(12), "statement_descriptor": words(22), "url": text, "tax_code": text}
PRICE = {**EXPAND, "currency!": currency, "product": text, "unit_amount": natural, "unit_amount_decimal": decimal,
         "product_data": {"name!": text, "metadata": metadata}, "nickname": text, "metadata": metadata,
         "active": boolean, "lookup_key": words(200), "transfer_lookup_key": boolean,
         "tax_behavior": one_of("exclusive", "inclusive", "unspecified"), "billing_scheme": one_of("per_unit"),
         "recurring": {"interval!": one_of("day", "month", "week", "year"), "interval_count": natural,
                       "usage_type": one_of("licensed", "metered"), "meter": text}}
PRICE_CHANGE = {**EXPAND, "active": boolean, "lookup_key": words(200), "metadata": metadata, "nickname": text,
                "transfer_lookup_key": boolean, "tax_behavior": one_of("exclusive", "inclusive", "unspecified")}
METER = {**EXPAND, "display_name!": words(250), "event_name!": words(100),
         "default_aggregation!": {"formula!": one_of("sum", "count", "last")},
         "customer_mapping": {"type!": one_of("by_id"), "event_payload_key!": words(100)},
         "value_settings": {"event_payload_key!": words(100)}, "event_time_window": one_of("day", "hour")}
METER_EVENT = {**EXPAND, "event_name!": words(100), "payload!": free, "identifier": words(100), "timestamp": integer}
METER_ADJUSTMENT = {**EXPAND, "event_name!": words(100), "type!": one_of("cancel"), "cancel": {"identifier": words(100)}}
SUMMARIES = {**LIST, "customer!": text, "start_time!": integer, "end_time!": integer,
             "value_grouping_window": one_of("day", "hour")}

LINE_ITEM = {"price!": text, "quantity": natural, "adjustable_quantity": {"enabled!": boolean}}
DISCOUNT = {"coupon": text, "promotion_code": text}
SESSION = {**EXPAND, "mode!": one_of("payment", "setup", "subscription"), "line_items": [LINE_ITEM],
           "success_url": text, "cancel_url": text, "return_url": text, "customer": text, "customer_email": email,
           "client_reference_id": words(200), "metadata": metadata, "allow_promotion_codes": boolean,
           "discounts": [DISCOUNT], "expires_at": integer, "locale": text, "currency": currency,
           "payment_method_collection": one_of("always", "if_required"),
           "billing_address_collection": one_of("auto", "required"),
           "tax_id_collection": {"enabled!": boolean}, "automatic_tax": {"enabled!": boolean},
           "customer_update": {"address": text, "name": text, "shipping": text},
           "ui_mode": one_of("hosted_page", "hosted"), "allowed_payment_method_types": [text],
           "subscription_data": {
               "metadata": metadata, "trial_period_days": natural, "trial_end": integer, "description": text,
               "billing_cycle_anchor": integer, "billing_mode": BILLING_MODE, "trial_settings": TRIAL_SETTINGS,
               "proration_behavior": one_of("create_prorations", "none")}}
PORTAL = {**EXPAND, "customer!": text, "return_url": text, "configuration": text, "locale": text,
          "flow_data": {"type!": one_of("payment_method_update", "subscription_cancel", "subscription_update",
                                        "subscription_update_confirm"),
                        "subscription_cancel": {"subscription!": text}, "subscription_update": {"subscription!": text},
                        "subscription_update_confirm": {
                            "subscription!": text, "items!": [{"id!": text, "price": text, "quantity": natural}]},
                        "after_completion": {"type!": text, "redirect": {"return_url!": text}}}}
FEATURES = {"customer_update": {"enabled": boolean, "allowed_updates": [text]}, "invoice_history": {"enabled!": boolean},
            "payment_method_update": {"enabled!": boolean},
            "subscription_cancel": {"enabled!": boolean, "mode": one_of("at_period_end", "immediately"),
                                    "proration_behavior": PRORATION,
                                    "cancellation_reason": {"enabled!": boolean, "options": [text]}},
            "subscription_update": {"enabled": boolean, "default_allowed_updates": [text],
                                    "proration_behavior": PRORATION,
                                    "products": [{"product!": text, "prices!": [text]}]}}
CONFIGURATION = {**EXPAND, "features": FEATURES, "default_return_url": text, "name": text, "metadata": metadata,
                 "business_profile": {"headline": text, "privacy_policy_url": text, "terms_of_service_url": text},
                 "login_page": {"enabled!": boolean}, "active": boolean}

SUB_ITEM = {"id": text, "price": text, "quantity": natural, "deleted": boolean, "clear_usage": boolean, "metadata": metadata}
SUBSCRIPTION = {**EXPAND, "customer!": text, "items!": [{"price!": text, "quantity": natural, "metadata": metadata}],
                "metadata": metadata, "trial_period_days": natural, "trial_end": integer, "payment_behavior": PAYMENT,
                "default_payment_method": text, "billing_mode": BILLING_MODE, "trial_settings": TRIAL_SETTINGS,
                "billing_cycle_anchor": integer, "discounts": [DISCOUNT], "description": text,
                "proration_behavior": PRORATION, "cancel_at_period_end": boolean, "off_session": boolean}
SUB_CHANGE = {**EXPAND, "items": [SUB_ITEM], "metadata": metadata, "proration_behavior": PRORATION,
              "payment_behavior": PAYMENT, "proration_date": integer, "cancel_at_period_end": boolean,
              "cancel_at": unset_or(or_words(integer, "min_period_end", "max_period_end")),
              "default_payment_method": text, "trial_end": or_words(integer, "now"), "description": text,
              "cancellation_details": {"comment": text, "feedback": text}, "discounts": [DISCOUNT],
              "trial_settings": TRIAL_SETTINGS, "off_session": boolean}
SUB_CANCEL = {**EXPAND, "invoice_now": boolean, "prorate": boolean,
              "cancellation_details": {"comment": text, "feedback": text}}
SUB_RESUME = {**EXPAND, "billing_cycle_anchor": one_of("now", "unchanged"), "proration_behavior": PRORATION,
              "proration_date": integer}
PREVIEW = {**EXPAND, "customer": text, "subscription": text, "currency": currency,
           "subscription_details": {"items": [SUB_ITEM], "proration_behavior": PRORATION, "proration_date": integer,
                                    "cancel_at_period_end": boolean, "cancel_now": boolean}}
INVOICE_CHANGE = {**EXPAND, "auto_advance": boolean, "metadata": metadata, "description": text}
REFUND = {**EXPAND, "charge": text, "payment_intent": text, "amount": natural, "metadata": metadata,
          "reason": one_of("duplicate", "fraudulent", "requested_by_customer")}
COUPON = {**EXPAND, "id": text, "percent_off": decimal, "amount_off": natural, "currency": currency, "name": text,
          "duration": one_of("forever", "once"), "metadata": metadata, "max_redemptions": natural}
PROMOTION = {**EXPAND, "code": words(500), "coupon": text, "active": boolean, "max_redemptions": natural, "metadata": metadata,
             "promotion": {"type!": one_of("coupon"), "coupon!": text}}
